// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/raw_slices.h"

#include <google/protobuf/io/coded_stream.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

namespace remotemedia::detail {
namespace {

using google::protobuf::io::CodedOutputStream;

/// The tag and the length before the bytes of a field.
std::string before_bytes(int field, std::size_t bytes) {
  constexpr std::uint32_t kLengthDelimited = 2;
  std::array<std::uint8_t, 20> written{};
  std::uint8_t* end = CodedOutputStream::WriteVarint32ToArray(
      (static_cast<std::uint32_t>(field) << 3U) | kLengthDelimited, written.data());
  end = CodedOutputStream::WriteVarint64ToArray(bytes, end);
  return {written.data(), end};
}

grpc::Slice slice_of(TensorBuffer tensor) {
  auto kept = std::make_unique<TensorBuffer>(tensor.is_contiguous() ? std::move(tensor) : tensor.copy());
  const std::size_t bytes = kept->nbytes();
  void* const data = const_cast<std::byte*>(kept->data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  TensorBuffer* const owner = kept.release();
  return {data, bytes, [](void* user) { delete static_cast<TensorBuffer*>(user); }, owner};
}

}  // namespace

RawSlices::RawSlices(const std::string& written) : slices_{grpc::Slice(written)}, size_(written.size()) {}

void RawSlices::append(int field, TensorBuffer tensor) {
  const std::size_t bytes = tensor.nbytes();
  slices_.emplace_back(before_bytes(field, bytes));
  size_ += slices_.back().size() + bytes;
  if (bytes > 0) slices_.push_back(slice_of(std::move(tensor)));
}

void RawSlices::wrap_in(int field) {
  slices_.emplace(slices_.begin(), before_bytes(field, size_));
  size_ += slices_.front().size();
}

}  // namespace remotemedia::detail
