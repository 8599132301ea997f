// SPDX-License-Identifier: Apache-2.0
//
// What the Open Inference Protocol calls the types of elements: "FP32" is float32.

#pragma once

#include <string_view>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/data_type.h"

namespace remotemedia::detail {

/// Errors:  invalid_tensor that names those there are.
REMOTEMEDIA_API DataType data_type_of_oip(std::string_view name);

/// Our own name for a type that the protocol has none for.
REMOTEMEDIA_API std::string_view oip_name(DataType dtype) noexcept;

/// Errors:  invalid_tensor for a type that the protocol has no name for.
REMOTEMEDIA_API std::string_view checked_oip_name(DataType dtype);

}  // namespace remotemedia::detail
