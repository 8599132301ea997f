// SPDX-License-Identifier: Apache-2.0

#include "model_thread.h"

#include <nanobind/nanobind.h>

#include "remotemedia/base/error.h"

namespace remotemedia::python {
namespace {

/// One more hold on the thread's state than its calls have.
class PythonThread {
 public:
  PythonThread() noexcept {
    if (const AnyThreadGil gil; gil) {
      state_ = PyGILState_Ensure();
      held_ = true;
    }
  }
  PythonThread(const PythonThread&) = delete;
  PythonThread& operator=(const PythonThread&) = delete;
  ~PythonThread() {
    if (!held_) return;
    if (const AnyThreadGil gil; gil) PyGILState_Release(state_);
  }

 private:
  PyGILState_STATE state_{};
  bool held_ = false;
};

}  // namespace

std::shared_ptr<void> enter_model_thread() { return std::make_shared<PythonThread>(); }

ModelGil::ModelGil() {
  if (!gil_) throw Error(ErrorCode::worker_unavailable, "the interpreter of the model exits");
}

}  // namespace remotemedia::python
