// SPDX-License-Identifier: Apache-2.0
//
// Tensors whose elements come as bytes beside a datatype and a shape that somebody else wrote.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// A tensor as a message announces it.
struct AnnouncedTensor {
  std::string_view name;
  DataType dtype = DataType::float32;
  std::span<const std::int64_t> shape;
};

/// How many elements it has.
///
/// Errors:  invalid_tensor, naming the tensor, for more extents than tensors have, a negative one, or more bytes than
///          any memory holds, extents of 0 counted as 1.
REMOTEMEDIA_API std::size_t element_count_of(const AnnouncedTensor& tensor);

/// Errors:  invalid_tensor, unless it has as many, and of BYTES as the lengths of its elements take; as
///          element_count_of.
REMOTEMEDIA_API void check_bytes(const AnnouncedTensor& tensor, std::size_t bytes);

/// Its elements where they lie, kept by `owner`; a copy where they are not aligned. Row-major, read-only.
///
/// Errors:  those of element_count_of; invalid_tensor, with what was expected and found, unless there are exactly as
///          many bytes as shape and datatype take, and of BYTES as its elements' lengths say.
REMOTEMEDIA_API TensorBuffer tensor_of_raw(const AnnouncedTensor& tensor, std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> owner);

}  // namespace remotemedia::detail
