// SPDX-License-Identifier: Apache-2.0
//
// Tensors of DataType::bytes: elements of any length, packed in row-major order, each behind its length in 4 bytes,
// little-endian. That is how the Open Inference Protocol sends them too.
//
//     TensorBuffer words = pack_bytes(std::vector<std::string_view>{"good", "morning"}, {2});
//     words.nbytes();                                   // 19
//     unpack_bytes(words)[1];                           // "morning"
//
// They are never cut, transposed or repeated, only reshaped and copied; ids and DLPack do not have them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

/// What stands before each element.
inline constexpr std::size_t kPackedLengthBytes = 4;

/// New memory of this process, with a copy of `elements`, in row-major order.
///
/// Errors:  invalid_tensor unless there are as many as `shape` has, and none of 4 GiB or more.
REMOTEMEDIA_API TensorBuffer pack_bytes(std::span<const std::string_view> elements, const Dims& shape);

/// The elements, in row-major order. Nothing beyond the tensor is read, whatever its lengths say.
///
/// Errors:    invalid_tensor for another dtype, and where the lengths do not lead to the end.
/// Lifetime:  while a view of the tensor lives.
REMOTEMEDIA_API std::vector<std::string_view> unpack_bytes(const TensorBuffer& tensor);

/// As unpack_bytes(), of nothing but the errors.
REMOTEMEDIA_API void check_packed(const TensorBuffer& tensor);

namespace detail {

/// `row`, a contiguous tensor, as it would be with another layout: its bytes are not looked at.
///
/// Errors:  invalid_tensor where it has not as many bytes.
REMOTEMEDIA_API TensorBuffer viewed_as(const TensorBuffer& row, const TensorLayout& layout);

/// `tensor`, of DataType::bytes, as the bytes that it has.
REMOTEMEDIA_API TensorBuffer packed_row(const TensorBuffer& tensor);

/// Below one another, in new memory; equal beyond axis 0.
REMOTEMEDIA_API TensorBuffer joined_packed(std::span<const TensorBuffer> parts);

/// Where cut along axis 0 each of `rows` has its own view.
///
/// Errors:  as unpack_bytes().
REMOTEMEDIA_API std::vector<TensorBuffer> split_packed(const TensorBuffer& tensor, std::span<const std::int64_t> rows);

}  // namespace detail

}  // namespace remotemedia
