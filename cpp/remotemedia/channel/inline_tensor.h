// SPDX-License-Identifier: Apache-2.0
//
// Tensors of at most 64 bytes lie in their records, where larger ones have their strides: no memory is lent for them.

#pragma once

#include <cstddef>
#include <cstdint>

#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::detail {

inline constexpr std::size_t kInlineBytes = sizeof(TensorDescriptor::strides);

/// Whether `tensor` is small enough, without gaps, and of few enough axes.
bool fits_inline(const TensorBuffer& tensor) noexcept;

/// A descriptor with the type, extents and bytes of one that fits.
TensorDescriptor describe_inline(const TensorBuffer& tensor);

/// A read-only copy of the tensor in `descriptor`. `known_flags`: those that it may have.
///
/// Errors:  protocol_error for what validate() refuses; out_of_memory.
TensorBuffer read_inline(TensorDescriptor descriptor, std::uint32_t known_flags);

}  // namespace remotemedia::detail
