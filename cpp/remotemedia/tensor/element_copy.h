// SPDX-License-Identifier: Apache-2.0
//
// Copies elements from one layout to another of the same shape.

#pragma once

#include <cstddef>

#include "remotemedia/tensor/tensor_layout.h"

namespace remotemedia {

/// Copies every element from around `from` to its place around `to`; both point to element 0, and no byte belongs to
/// both sides. The layouts are sound and have one shape and one dtype.
void copy_elements(std::byte* to, const TensorLayout& to_layout, const std::byte* from,
                   const TensorLayout& from_layout) noexcept;

}  // namespace remotemedia
