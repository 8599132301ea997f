// SPDX-License-Identifier: Apache-2.0
//
// GilObject: a Python object that C++ threads may hold, call and drop.

#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>
#include <utility>

namespace remotemedia::python {

/// Takes the GIL to let go. Once the interpreter is gone the object is left alone: its memory went with it.
class GilObject {
 public:
  explicit GilObject(nanobind::object object) noexcept : object_(std::move(object)) {}
  GilObject(const GilObject&) = delete;
  GilObject& operator=(const GilObject&) = delete;
  ~GilObject() {
    if (Py_IsInitialized() == 0) {
      object_.release();
      return;
    }
    const nanobind::gil_scoped_acquire gil;
    object_.reset();
  }

  /// With the GIL.
  const nanobind::object& get() const noexcept { return object_; }

 private:
  nanobind::object object_;
};

/// Something that any thread may call, or nothing for None. What it raises is reported as unraisable: nobody
/// waits for it.
std::function<void()> any_thread_callback(nanobind::object callable);

}  // namespace remotemedia::python
