// SPDX-License-Identifier: Apache-2.0
//
// The elements of a tensor as JSON has them.

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "remotemedia/oip/raw_tensor.h"

namespace remotemedia::detail {

/// Neither of 16 bits of floating point has some.
bool has_json_elements(DataType dtype) noexcept;

/// data: flat, or nested as the shape says. most_elements: that it can have, as long as its text was.
///
/// Errors:  invalid_tensor that names the tensor: another count or nesting, what is no number (of BYTES no text),
///          one that is beyond the dtype, a dtype that JSON has no elements of.
TensorBuffer tensor_of_json(const AnnouncedTensor& tensor, const nlohmann::json& data, std::size_t most_elements);

/// Appends them flat, in row-major order; floats with as few digits as say them exactly.
///
/// Errors:  invalid_tensor for a dtype that JSON has no elements of, NaN and infinity, and bytes that are no UTF-8.
void append_elements(std::string& text, std::string_view name, const TensorBuffer& tensor);

}  // namespace remotemedia::detail
