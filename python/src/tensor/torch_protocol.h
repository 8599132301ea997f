// SPDX-License-Identifier: Apache-2.0
//
// PyTorch, without importing it: who has a torch tensor has imported it.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// A view of a torch.Tensor, or a copy.
///
/// Errors:  TypeError for anything else; invalid_tensor with the remedy for what requires grad, carries a conj or neg
///          bit, or is not dense; zero_copy_unavailable.
TensorBuffer from_torch(nanobind::handle tensor, bool zero_copy);

/// A torch.Tensor over the same memory, or a clone where torch could not have it, moved to `device` unless None.
///
/// Errors:  ImportError without torch.
nanobind::object to_torch(const TensorBuffer& tensor, nanobind::handle device, bool allow_readonly);

}  // namespace remotemedia::python
