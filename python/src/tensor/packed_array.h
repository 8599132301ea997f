// SPDX-License-Identifier: Apache-2.0
//
// Tensors of bytes as NumPy has them: arrays of objects, each a bytes.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// Whether elements of an array are text or objects, of which a tensor of bytes may be made.
bool is_array_of_text(nanobind::handle array);

/// A copy of an array whose elements are bytes or str, these in UTF-8.
///
/// Errors:  invalid_tensor that names an element of another kind.
TensorBuffer packed_of_array(nanobind::handle array);

/// A copy, read-only as the tensor is.
///
/// Errors:  invalid_tensor where the lengths of its elements do not lead to its end.
nanobind::object array_of_packed(const TensorBuffer& tensor);

}  // namespace remotemedia::python
