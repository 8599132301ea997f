// SPDX-License-Identifier: Apache-2.0
//
// TerminationSignal: turns the system's wish that this process end into something to wait for.

#pragma once

#include "remotemedia/base/export.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// While it lives SIGTERM and SIGINT (where they are ignored: SIGTERM alone) do not do what they did before, and on
/// Windows Ctrl+C, Ctrl+Break and the end of the session do not either: wait_handle() becomes ready. One at a time in a
/// process. A forked child has what was there before.
///
/// Threads:  any.
class REMOTEMEDIA_API TerminationSignal {
 public:
  /// Errors:  invalid_argument if there is another; OsError.
  TerminationSignal();
  TerminationSignal(const TerminationSignal&) = delete;
  TerminationSignal& operator=(const TerminationSignal&) = delete;

  /// What was there before is there again.
  ~TerminationSignal();

  /// For wait_for_any; ready while there is a signal that take() would take.
  NativeHandle wait_handle() const noexcept { return came_.wait_handle(); }

  /// Whether one came since the last time that it said so.
  ///
  /// Errors:  OsError.
  bool take() { return came_.wait(TimePoint{}); }

 private:
  Doorbell came_;
};

}  // namespace remotemedia::platform
