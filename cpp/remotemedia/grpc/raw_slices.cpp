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

/// Up to here the elements are copied: a slice of their own costs as much.
constexpr std::size_t kMostCopied = std::size_t{16} << 10;

/// The tag and the length before the bytes of a field.
std::string before_bytes(int field, std::size_t bytes) {
  constexpr std::uint32_t kLengthDelimited = 2;
  std::array<std::uint8_t, 20> written{};
  std::uint8_t* end = CodedOutputStream::WriteVarint32ToArray(
      (static_cast<std::uint32_t>(field) << 3U) | kLengthDelimited, written.data());
  end = CodedOutputStream::WriteVarint64ToArray(bytes, end);
  return {written.data(), end};
}

template <class Owner>
grpc::Slice slice_of(std::unique_ptr<Owner> owner, const void* data, std::size_t bytes) {
  void* const first = const_cast<void*>(data);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return {first, bytes, [](void* user) { delete static_cast<Owner*>(user); }, owner.release()};
}

}  // namespace

void RawSlices::append(int field, TensorBuffer tensor) {
  if (!tensor.is_contiguous()) tensor = tensor.copy();
  const std::size_t bytes = tensor.nbytes();
  append(field, std::move(tensor), 0, bytes);
}

void RawSlices::append(int field, TensorBuffer tensor, std::size_t begin, std::size_t bytes) {
  written_ += before_bytes(field, bytes);
  if (bytes <= kMostCopied) {
    if (bytes > 0) written_.append(reinterpret_cast<const char*>(tensor.data() + begin), bytes);
    return;
  }
  end_slice();
  auto kept = std::make_unique<TensorBuffer>(std::move(tensor));
  const std::byte* const data = kept->data() + begin;
  slices_.push_back(slice_of(std::move(kept), data, bytes));
  size_ += bytes;
}

void RawSlices::end_slice() {
  if (written_.empty()) return;
  auto kept = std::make_unique<std::string>(std::move(written_));
  written_.clear();
  const char* const data = kept->data();
  const std::size_t bytes = kept->size();
  slices_.push_back(slice_of(std::move(kept), data, bytes));
  size_ += bytes;
}

void RawSlices::wrap_in(int field) {
  const std::string before = before_bytes(field, size_ + written_.size());
  slices_.emplace(slices_.begin(), before);
  size_ += before.size();
}

grpc::ByteBuffer RawSlices::bytes() {
  end_slice();
  return {slices_.data(), slices_.size()};
}

}  // namespace remotemedia::detail
