// SPDX-License-Identifier: Apache-2.0
//
// wait_in_slices: waiting that Ctrl-C ends.

#pragma once

#include <nanobind/nanobind.h>

#include <chrono>

#include "../gil.h"
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

}  // namespace remotemedia::python
