// SPDX-License-Identifier: Apache-2.0
//
// Pickling: a tensor in shared memory travels as its id, any other as its bytes, out of band where protocol 5 can.

#pragma once

#include <nanobind/nanobind.h>

#include "py_tensor.h"

namespace remotemedia::python {

void define_pickling(nanobind::module_& m, nanobind::class_<PyTensor>& type);

}  // namespace remotemedia::python
