// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_layout.h"

#include <algorithm>
#include <array>
#include <string>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

constexpr LayoutSize fault(LayoutFault fault) noexcept { return {.fault = fault}; }

constexpr std::int64_t kLeastPackedBytes = 4;  // of an element: its length

/// `dense`: of elements without a byte.
LayoutSize packed_size(const TensorLayout& layout, const LayoutSize& dense) {
  const bool fits = dense.elements == 0 ? layout.packed_bytes == 0 : layout.packed_bytes >= dense.nbytes;
  if (!fits || !is_contiguous(layout.shape, layout.strides)) {
    throw Error(ErrorCode::invalid_tensor,
                "shape " + to_string(layout.shape) + " of bytes in " + std::to_string(layout.packed_bytes) +
                    " bytes: elements of any length are packed without gaps, which pack_bytes() does");
  }
  return {.fault = LayoutFault::none,
          .elements = dense.elements,
          .nbytes = layout.packed_bytes,
          .begin = 0,
          .end = layout.packed_bytes};
}

}  // namespace

std::string_view to_string(LayoutFault fault) noexcept {
  switch (fault) {
    case LayoutFault::none:
      return "sound";
    case LayoutFault::negative_extent:
      return "an extent is negative";
    case LayoutFault::too_many_elements:
      return "the extents multiply to more bytes than can be counted";
    case LayoutFault::strides_too_large:
      return "the strides lead further than can be counted";
  }
  return "unknown";
}

LayoutSize measure(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                   std::size_t itemsize) noexcept {
  const auto item = static_cast<std::int64_t>(itemsize);
  LayoutSize size;
  std::int64_t dense = item;  // bytes, extents of 0 counted as 1: the order of axes makes no difference
  std::int64_t elements = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return fault(LayoutFault::negative_extent);
    empty |= extent == 0;
    if (extent == 0) continue;
    if (__builtin_mul_overflow(dense, extent, &dense)) return fault(LayoutFault::too_many_elements);
    elements *= extent;
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::int64_t step = 0;
    if (__builtin_mul_overflow(strides[axis], item, &step)) return fault(LayoutFault::strides_too_large);
    if (shape[axis] <= 1) continue;
    std::int64_t way = 0;
    std::int64_t& far_end = step < 0 ? size.begin : size.end;
    if (__builtin_mul_overflow(step, shape[axis] - 1, &way) || __builtin_add_overflow(far_end, way, &far_end)) {
      return fault(LayoutFault::strides_too_large);
    }
  }
  // Both ends together must be countable too, with the last element's own bytes.
  std::int64_t last = 0;
  std::int64_t whole = 0;
  if (__builtin_add_overflow(size.end, item, &last) || __builtin_sub_overflow(last, size.begin, &whole)) {
    return fault(LayoutFault::strides_too_large);
  }
  if (empty) return {};
  size.end = last;
  size.nbytes = dense;
  size.elements = elements;
  return size;
}

bool lies_within(const LayoutSize& size, std::uint64_t offset, std::uint64_t available) noexcept {
  if (offset > available) return false;
  return std::uint64_t{0} - static_cast<std::uint64_t>(size.begin) <= offset &&
         static_cast<std::uint64_t>(size.end) <= available - offset;
}

bool is_contiguous(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) noexcept {
  if (std::ranges::find(shape, 0) != shape.end()) return true;
  std::int64_t expected = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == 1) continue;
    if (strides[axis] != expected) return false;
    if (__builtin_mul_overflow(expected, shape[axis], &expected)) return false;
  }
  return true;
}

Dims row_major_strides(const Dims& shape) {
  std::array<std::int64_t, kMaxRank> strides;
  std::uint64_t stride = 1;  // what a sound shape never makes too large
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = static_cast<std::int64_t>(stride);
    if (shape[axis] != 0) stride *= static_cast<std::uint64_t>(shape[axis]);
  }
  return Dims(std::span(strides.data(), shape.size()));
}

TensorLayout row_major(const TensorLayout& layout) {
  return {layout.dtype, layout.shape, row_major_strides(layout.shape), layout.packed_bytes};
}

TensorLayout row_major(const Dims& shape, DataType dtype) {
  TensorLayout layout{dtype, shape, row_major_strides(shape)};
  checked(layout);
  return layout;
}

LayoutSize checked(const TensorLayout& layout) {
  const bool is_packed = layout.dtype == DataType::bytes;
  const std::size_t item = is_packed ? kLeastPackedBytes : itemsize(layout.dtype);
  if (layout.shape.size() != layout.strides.size()) {
    throw Error(ErrorCode::invalid_tensor, "shape " + to_string(layout.shape) + " with strides " +
                                               to_string(layout.strides) + ": one stride for each extent is needed");
  }
  LayoutSize size = measure(layout.shape, layout.strides, item);
  if (size.fault != LayoutFault::none) {
    throw Error(ErrorCode::invalid_tensor,
                "shape " + to_string(layout.shape) + " with strides " + to_string(layout.strides) + " of " +
                    std::string(to_string(layout.dtype)) + ": " + std::string(to_string(size.fault)));
  }
  if (is_packed) size = packed_size(layout, size);
  return size;
}

}  // namespace remotemedia
