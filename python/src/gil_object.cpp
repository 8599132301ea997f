// SPDX-License-Identifier: Apache-2.0

#include "gil_object.h"

#include <memory>

namespace nb = nanobind;

namespace remotemedia::python {

std::function<void()> any_thread_callback(nb::object callable) {
  if (callable.is_none()) return nullptr;
  auto shared = std::make_shared<GilObject>(std::move(callable));
  return [shared] {
    const AnyThreadGil gil;
    if (!gil || interpreter_exits()) return;  // who still waits then is a daemon thread: let it wait for the end
    try {
      shared->get()();
    } catch (nb::python_error& error) {
      drop(error, shared->get());
      if (!error.matches(PyExc_KeyboardInterrupt)) return;
      try {  // Ctrl-C came in the middle, but somebody waits for this call
        shared->get()();
      } catch (nb::python_error& again) {
        drop(again, shared->get());
      }
    }
  };
}

void drop(nb::python_error& error, nb::handle raised_by) {
  if (error.matches(PyExc_KeyboardInterrupt)) {
    PyErr_SetInterrupt();
  } else {
    error.discard_as_unraisable(raised_by);
  }
}

}  // namespace remotemedia::python
