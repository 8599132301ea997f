// SPDX-License-Identifier: Apache-2.0
//
// Waiting that Ctrl-C ends.

#pragma once

#include <nanobind/nanobind.h>

#include <chrono>

#include "../gil.h"
#include "remotemedia/base/error.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::python {

/// Calls wait_until(deadline) without the GIL, again and again until it is true.
///
/// Errors:  what a signal handler raises, after give_up(); SystemExit in a thread that is left when the interpreter
///          exits.
template <class WaitUntil, class GiveUp>
void wait_in_slices(const WaitUntil& wait_until, const GiveUp& give_up) {
  constexpr Duration kSignalCheck = std::chrono::milliseconds{50};
  while (true) {
    bool there = false;
    {
      const NoGil others_go_on;
      there = wait_until(later(monotonic_clock().now(), kSignalCheck));
    }
    if (is_left_over()) {
      PyErr_SetNone(PyExc_SystemExit);
    } else if (PyErr_CheckSignals() == 0) {
      if (there) return;
      continue;
    }
    {
      const nanobind::error_scope keep_raised;
      const NoGil others_go_on;
      give_up();
    }
    throw nanobind::python_error();
  }
}

/// Whether the interpreter wants this thread to stop, and has raised why.
inline bool given_up() {
  const AnyThreadGil gil;
  return gil && (is_left_over() || PyErr_CheckSignals() != 0);
}

/// What `call` gives without the GIL; what a signal handler raised meanwhile goes before errors.
template <class Call>
auto without_gil(const Call& call) {
  try {
    const NoGil others_go_on;
    return call();
  } catch (const Error&) {
    if (PyErr_Occurred() != nullptr) throw nanobind::python_error();
    throw;
  }
}

}  // namespace remotemedia::python
