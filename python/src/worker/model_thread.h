// SPDX-License-Identifier: Apache-2.0
//
// The threads that run a model in Python.

#pragma once

#include <memory>

#include "../gil.h"

namespace remotemedia::python {

/// Makes the calling thread one thread of Python until the result goes, there: thread-locals stay from one call of the
/// model to the next.
std::shared_ptr<void> enter_model_thread();

/// The GIL for a call of the model.
class ModelGil {
 public:
  /// Errors:  worker_unavailable once the interpreter goes.
  ModelGil();

 private:
  AnyThreadGil gil_;
};

}  // namespace remotemedia::python
