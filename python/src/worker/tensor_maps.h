// SPDX-License-Identifier: Apache-2.0
//
// Named tensors as Python gives and takes them. All of it with the GIL.

#pragma once

#include <nanobind/nanobind.h>

#include <string_view>
#include <vector>

#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::python {

/// Arrays, TensorBuffers and whatever else holds elements, each where it lies; numbers and lists of them become what
/// `specs` say of their name.
///
/// role: "input" or "output", for messages.
///
/// Errors:  TypeError if it is no mapping, or a name is no str; invalid_tensor with name and remedy.
TensorMap tensors_of(nanobind::handle mapping, const std::vector<TensorSpec>& specs, std::string_view role);

/// The same for one of this name.
TensorMap tensors_of(nanobind::handle value, std::string name, const std::vector<TensorSpec>& specs,
                     std::string_view role);

/// Read-only arrays by name.
///
/// Errors:  invalid_tensor where NumPy has no such dtype.
nanobind::dict arrays_of(const TensorMap& tensors);

/// TensorBuffers by name.
nanobind::dict dict_of(const TensorMap& tensors);

}  // namespace remotemedia::python
