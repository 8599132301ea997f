// SPDX-License-Identifier: Apache-2.0
//
// Views by indexing: integers, slices, ... and None, as NumPy has them.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// Errors:  IndexError beyond an axis or for too many of them; TypeError for what only a copy could do.
TensorBuffer indexed(TensorBuffer tensor, nanobind::handle index);

}  // namespace remotemedia::python
