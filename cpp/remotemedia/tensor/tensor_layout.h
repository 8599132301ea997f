// SPDX-License-Identifier: Apache-2.0
//
// TensorLayout: how elements lie in memory around element 0, and the arithmetic of that. Every product and sum here is
// checked: the numbers may come from another process.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/dims.h"

namespace remotemedia {

struct TensorLayout {
  DataType dtype = DataType::uint8;
  Dims shape;
  Dims strides;  ///< In elements, one for each axis; negative and 0 are legal.

  /// Of DataType::bytes: the bytes of all elements, packed in row-major order (packed_bytes.h). Of others 0.
  std::int64_t packed_bytes = 0;

  friend bool operator==(const TensorLayout&, const TensorLayout&) = default;
};

/// What is wrong with extents and strides.
enum class LayoutFault : std::uint8_t {
  none,
  negative_extent,
  too_many_elements,  ///< The extents that are not 0 multiply to more bytes than can be counted.
  strides_too_large,  ///< A stride, or the way from one end to the other, is more bytes than can be counted.
};

REMOTEMEDIA_API std::string_view to_string(LayoutFault fault) noexcept;

/// The sizes of a layout. Bytes of elements are [begin, end), counted from the first byte of element 0, so that
/// begin <= 0 < end; both are 0 where there is no element. On a fault nothing but `fault` is told.
struct LayoutSize {
  LayoutFault fault = LayoutFault::none;
  std::int64_t elements = 0;
  std::int64_t nbytes = 0;  ///< Of all elements, without gaps and with repetitions.
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// `shape` and `strides` are of one length, `itemsize` is at least 1.
REMOTEMEDIA_API LayoutSize measure(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                                   std::size_t itemsize) noexcept;

/// Whether all bytes of elements lie within `available` bytes, of which element 0 begins at `offset`.
REMOTEMEDIA_API bool lies_within(const LayoutSize& size, std::uint64_t offset, std::uint64_t available) noexcept;

/// Row-major without gaps. The strides of an axis of extent 1 do not count, nor does any where there is no element.
REMOTEMEDIA_API bool is_contiguous(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) noexcept;

/// The row-major strides of `shape`, an extent of 0 counted as 1.
REMOTEMEDIA_API Dims row_major_strides(const Dims& shape);

/// The row-major layout of `shape`.
///
/// Errors:  invalid_tensor as checked().
REMOTEMEDIA_API TensorLayout row_major(const Dims& shape, DataType dtype);

/// The same elements without gaps.
REMOTEMEDIA_API TensorLayout row_major(const TensorLayout& layout);

/// The sizes of a layout that is sound.
///
/// Errors:  invalid_tensor that says what is wrong: not one stride for each extent, a LayoutFault; of DataType::bytes
///          gaps, or fewer bytes than the lengths of its elements take.
REMOTEMEDIA_API LayoutSize checked(const TensorLayout& layout);

}  // namespace remotemedia
