// SPDX-License-Identifier: Apache-2.0
//
// Alarm: wakes a thread of this process after a while.

#pragma once

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Threads:  one at a time; wait_handle() any.
class REMOTEMEDIA_API Alarm {
 public:
  Alarm() noexcept = default;

  /// Errors:  OsError.
  static Alarm create();

  /// Goes off after `time`, above zero; at once where the system has no timer that can be waited for. One that was set
  /// before does not.
  ///
  /// Cost:  one system call, which wakes nobody.
  void set(Duration time) noexcept;

  /// It does not go off, or has not.
  void clear() noexcept;

  /// For wait_for_any; ready from when it goes off until clear() or set().
  NativeHandle wait_handle() const noexcept;

 private:
  OwnedHandle timer_;
  Doorbell bell_;  ///< Instead of a timer, where there is none.
};

}  // namespace remotemedia::platform
