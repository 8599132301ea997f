// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/packed_bytes.h"

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/copy_bytes.h"

namespace remotemedia {
namespace {

static_assert(std::endian::native == std::endian::little, "lengths are little-endian");

TensorLayout packed_layout(const Dims& shape, std::size_t bytes) {
  return {DataType::bytes, shape, row_major_strides(shape), static_cast<std::int64_t>(bytes)};
}

std::size_t count_of(const Dims& shape) {
  return static_cast<std::size_t>(checked(row_major(shape, DataType::uint8)).elements);
}

/// Walks a packed tensor element by element. Each length is read once.
class Walk {
 public:
  explicit Walk(const TensorBuffer& tensor) : left_(tensor.data(), tensor.nbytes()) {
    if (tensor.dtype() == DataType::bytes) return;
    throw Error(ErrorCode::invalid_tensor,
                "elements of any length are asked of a tensor of " + std::string(to_string(tensor.dtype())));
  }

  std::string_view next() {
    std::uint32_t length = 0;
    if (left_.size() < sizeof length) refuse();
    std::memcpy(&length, left_.data(), sizeof length);
    left_ = left_.subspan(sizeof length);
    if (left_.size() < length) refuse();
    const std::string_view element(reinterpret_cast<const char*>(left_.data()), length);
    left_ = left_.subspan(length);
    return element;
  }

  std::size_t left() const noexcept { return left_.size(); }

  void require_end() const {
    if (!left_.empty()) refuse();
  }

 private:
  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::invalid_tensor,
                "the lengths of a tensor's elements do not lead to its end: each stands in 4 bytes before its element");
  }

  std::span<const std::byte> left_;
};

}  // namespace

TensorBuffer pack_bytes(std::span<const std::string_view> elements, const Dims& shape) {
  const std::size_t count = count_of(shape);
  if (elements.size() != count) {
    throw Error(ErrorCode::invalid_tensor, std::to_string(elements.size()) + " elements for a tensor of shape " +
                                               to_string(shape) + ", which has " + std::to_string(count));
  }
  std::size_t bytes = count * kPackedLengthBytes;
  for (const std::string_view element : elements) {
    if (element.size() > std::numeric_limits<std::uint32_t>::max()) {
      throw Error(ErrorCode::invalid_tensor,
                  "an element of " + std::to_string(element.size()) + " bytes: 4 GiB - 1 are the most");
    }
    bytes += element.size();
  }
  const TensorBuffer row = TensorBuffer::allocate({static_cast<std::int64_t>(bytes)}, DataType::uint8);
  std::byte* to = row.mutable_data();
  for (const std::string_view element : elements) {
    const auto length = static_cast<std::uint32_t>(element.size());
    std::memcpy(to, &length, sizeof length);
    to += sizeof length;
    if (length > 0) std::memcpy(to, element.data(), length);
    to += length;
  }
  return detail::viewed_as(row, packed_layout(shape, bytes));
}

std::vector<std::string_view> unpack_bytes(const TensorBuffer& tensor) {
  Walk walk(tensor);
  std::vector<std::string_view> elements(tensor.element_count());
  for (std::string_view& element : elements) element = walk.next();
  walk.require_end();
  return elements;
}

void check_packed(const TensorBuffer& tensor) {
  Walk walk(tensor);
  for (std::size_t i = tensor.element_count(); i > 0; --i) walk.next();
  walk.require_end();
}

namespace detail {

TensorBuffer viewed_as(const TensorBuffer& row, const TensorLayout& layout) {
  const auto offset = static_cast<std::size_t>(row.data() - row.block().data());
  if (!row.is_contiguous() || checked(layout).nbytes != static_cast<std::int64_t>(row.nbytes())) {
    throw Error(ErrorCode::invalid_tensor, "a " + std::string(to_string(layout.dtype)) + " tensor of shape " +
                                               to_string(layout.shape) + " has not the " +
                                               std::to_string(row.nbytes()) + " bytes that there are");
  }
  const TensorBuffer view = TensorBuffer::view_of(row.block(), offset, layout, row.device());
  return row.read_only() ? view.as_read_only() : view;
}

TensorBuffer packed_row(const TensorBuffer& tensor) {
  return viewed_as(tensor, row_major({static_cast<std::int64_t>(tensor.nbytes())}, DataType::uint8));
}

TensorBuffer joined_packed(std::span<const TensorBuffer> parts) {
  std::int64_t rows = 0;
  std::size_t bytes = 0;
  for (const TensorBuffer& part : parts) {
    rows += part.shape()[0];
    bytes += part.nbytes();
  }
  const TensorBuffer row = TensorBuffer::allocate({static_cast<std::int64_t>(bytes)}, DataType::uint8);
  std::byte* to = row.mutable_data();
  for (const TensorBuffer& part : parts) {
    if (part.nbytes() > 0) copy_bytes(to, part.data(), part.nbytes());
    const TensorLayout layout = packed_layout(part.shape(), part.nbytes());
    const auto offset = static_cast<std::size_t>(to - row.data());
    check_packed(TensorBuffer::view_of(row.block(), offset, layout));
    to += part.nbytes();
  }
  return viewed_as(row, packed_layout(parts.front().shape().with(0, rows), bytes));
}

std::vector<TensorBuffer> split_packed(const TensorBuffer& tensor, std::span<const std::int64_t> rows) {
  Walk walk(tensor);
  const TensorBuffer row = packed_row(tensor);
  const std::size_t in_row = count_of(tensor.shape().with(0, 1));
  std::vector<TensorBuffer> parts;
  parts.reserve(rows.size());
  std::size_t begin = 0;
  for (const std::int64_t count : rows) {
    for (std::size_t i = static_cast<std::size_t>(count) * in_row; i > 0; --i) walk.next();
    const std::size_t end = tensor.nbytes() - walk.left();
    const auto part = row.slice(0, {.begin = static_cast<std::int64_t>(begin), .end = static_cast<std::int64_t>(end)});
    parts.push_back(viewed_as(part, packed_layout(tensor.shape().with(0, count), end - begin)));
    begin = end;
  }
  walk.require_end();
  return parts;
}

}  // namespace detail

}  // namespace remotemedia
