// SPDX-License-Identifier: Apache-2.0
//
// What a client in Python gives C++ and gets back: a call, its answer, an error.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/model_worker_client.h"

namespace remotemedia::python {

struct PyCall {
  TensorMap inputs;
  InferOptions options;
  bool one_output = false;  ///< Its answers are tensors, not dicts of them.
};

/// inputs: None, one array, or a mapping; named: a dict of more, or None; trace: a traceparent and a tracestate, or
/// None. With the GIL.
///
/// Errors:  TypeError for both or neither, and for an option of the wrong type; invalid_tensor; invalid_argument.
PyCall call_of(const ModelSignature& signature, nanobind::handle inputs, nanobind::handle named,
               nanobind::handle parameters, nanobind::handle session_id, nanobind::handle priority,
               nanobind::handle timeout, nanobind::handle trace);

/// A TensorBuffer, or a dict of them. With the GIL.
nanobind::object answer_object(const TensorMap& outputs, bool one_output);

}  // namespace remotemedia::python
