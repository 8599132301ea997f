// SPDX-License-Identifier: Apache-2.0
//
// GilObject: a Python object that C++ threads may hold, call and drop.

#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <utility>

#include "gil.h"

namespace remotemedia::python {

/// Takes the GIL to let go. Once the interpreter goes the object is left alone: its memory goes with it.
class GilObject {
 public:
  explicit GilObject(nanobind::object object) noexcept : object_(std::move(object)) {}
  GilObject(const GilObject&) = delete;
  GilObject& operator=(const GilObject&) = delete;
  ~GilObject() { reset(); }

  void reset() noexcept {
    if (!object_.is_valid()) return;
    if (const AnyThreadGil gil; gil) {
      object_.reset();
    } else {
      object_.release();
    }
  }

  /// With the GIL.
  const nanobind::object& get() const noexcept { return object_; }

 private:
  nanobind::object object_;
};

/// Something that any thread may call, or nothing for None. It should not raise: nobody waits for it.
std::function<void()> any_thread_callback(nanobind::object callable);

/// Of a callback that nobody waits for. An interrupt is not the callback's: it is raised again where the main thread
/// runs Python. Anything else is reported as unraisable.
void drop(nanobind::python_error& error, nanobind::handle raised_by);

}  // namespace remotemedia::python
