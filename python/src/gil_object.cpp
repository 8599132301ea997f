// SPDX-License-Identifier: Apache-2.0

#include "gil_object.h"

#include <memory>
#include <stdexcept>

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

bool is_interrupt(const nb::python_error& error) { return error.matches(PyExc_KeyboardInterrupt); }

}  // namespace

std::function<void()> any_thread_callback(nb::object callable) {
  if (callable.is_none()) return nullptr;
  auto shared = std::make_shared<GilObject>(std::move(callable));
  return [shared] {
    const AnyThreadGil gil;
    if (!gil) return;
    try {
      shared->get()();
    } catch (nb::python_error& error) {
      if (!is_interrupt(error)) {
        error.discard_as_unraisable(shared->get());
        return;
      }
      // Ctrl-C came in the middle, but somebody waits for this call.
      try {
        shared->get()();
      } catch (nb::python_error& again) {
        again.discard_as_unraisable(shared->get());
      }
      PyErr_SetInterrupt();
    }
  };
}

std::runtime_error told(nb::python_error& error) {
  if (is_interrupt(error)) PyErr_SetInterrupt();
  return std::runtime_error(error.what());
}

}  // namespace remotemedia::python
