// SPDX-License-Identifier: Apache-2.0

#include "gil_object.h"

namespace nb = nanobind;

namespace remotemedia::python {

std::function<void()> any_thread_callback(nb::object callable) {
  if (callable.is_none()) return nullptr;
  auto shared = std::make_shared<GilObject>(std::move(callable));
  return [shared] {
    const nb::gil_scoped_acquire gil;
    try {
      shared->get()();
    } catch (nb::python_error& error) {
      error.discard_as_unraisable(shared->get());
    }
  };
}

}  // namespace remotemedia::python
