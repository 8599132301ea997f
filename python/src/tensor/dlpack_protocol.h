// SPDX-License-Identifier: Apache-2.0
//
// DLPack between libraries of Python: capsules with a dltensor.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// A capsule for whoever asks by these arguments of `__dlpack__`.
///
/// Errors:  zero_copy_unavailable (a BufferError) for what cannot be without a copy, or at all; TypeError for arguments
///          of the wrong kind; ValueError for a stream that makes no sense.
nanobind::object dlpack_capsule(const TensorBuffer& tensor, nanobind::handle stream, nanobind::handle max_version,
                                nanobind::handle dl_device, nanobind::handle copy);

/// A capsule that has no version, for receivers that know no other; of a tensor that may be written.
nanobind::object legacy_dlpack_capsule(const TensorBuffer& tensor);

/// What an exporter, or a capsule of its own, gives. `copy`: None, True or False.
///
/// Errors:  TypeError for what exports nothing; those of remotemedia::from_dlpack().
TensorBuffer from_dlpack_exporter(nanobind::handle exporter, nanobind::handle copy);

}  // namespace remotemedia::python
