// SPDX-License-Identifier: Apache-2.0
//
// NumPy: arrays into tensors and back, `__array__` and `__array_interface__`.

#pragma once

#include <nanobind/nanobind.h>

#include "py_tensor.h"

namespace remotemedia::python {

/// A view of a numpy.ndarray, or a copy.
///
/// Errors:  TypeError for anything else; invalid_tensor for a dtype that no tensor has; zero_copy_unavailable where
///          only a copy could do it.
TensorBuffer from_numpy(nanobind::handle array, bool zero_copy);

/// A view, read-only as the tensor is.
///
/// Errors:  invalid_tensor that names the remedy where NumPy has no such dtype, or the elements are on a device.
nanobind::object to_numpy(nanobind::handle tensor);

/// What NumPy calls as a last resort.
///
/// Errors:  TypeError where NumPy has no such dtype; ValueError if copy is False and only a copy could do it.
nanobind::object array(nanobind::handle tensor, nanobind::handle dtype, nanobind::handle copy);

/// Version 3.
///
/// Errors:  AttributeError where it has no word for the dtype.
nanobind::dict array_interface(PyTensor& self);

}  // namespace remotemedia::python
