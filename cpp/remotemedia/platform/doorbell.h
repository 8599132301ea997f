// SPDX-License-Identifier: Apache-2.0
//
// Doorbell: wakes a process that sleeps. Rings before the next wait are one ring; none is lost.

#pragma once

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Threads:  all functions may be called from any thread.
class REMOTEMEDIA_API Doorbell {
 public:
  /// Errors:  OsError.
  static Doorbell create();

  /// A bell that another process made and sent.
  ///
  /// Errors:  protocol_error if the handle is none; OsError.
  static Doorbell adopt(OwnedHandle handle);

  Doorbell() noexcept = default;

  /// Never blocks, however often nobody listens and whatever other holders do to the bell; they can take its rings.
  /// On a Linux without asynchronous I/O (io_submit) whoever has been sent the bell can make it block: let no thread
  /// ring there that others wait for.
  ///
  /// Cost:  one system call.
  void ring() noexcept;

  /// True when it was rung since the last wait that returned true; false when `deadline` passed first.
  ///
  /// Errors:  OsError.
  bool wait(TimePoint deadline);

  /// A handle to send to another process, which can then both ring and wait.
  ///
  /// Errors:  OsError.
  OwnedHandle duplicate() const;

  /// For wait_for_any; ready while there is a ring that wait() would take.
  NativeHandle wait_handle() const noexcept;

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

 private:
  explicit Doorbell(OwnedHandle handle) noexcept;

  OwnedHandle handle_;
};

}  // namespace remotemedia::platform
