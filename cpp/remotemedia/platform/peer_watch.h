// SPDX-License-Identifier: Apache-2.0
//
// PeerWatch: tells when a process has ended, also where a forked child keeps its sockets open.

#pragma once

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Threads:  all const functions may be called from any thread.
class REMOTEMEDIA_API PeerWatch {
 public:
  /// The process at the other end of `channel`, which cannot be confused with a later one of the same number.
  ///
  /// Errors:  OsError; worker_unavailable if it has ended already.
  static PeerWatch of(const DescriptorChannel& channel);

  PeerWatch() noexcept = default;

  /// True when the process has ended; false when `deadline` passed first. Once true, always true.
  ///
  /// Errors:  OsError.
  bool wait(TimePoint deadline) const;

  /// For wait_for_any: ready once the process has ended.
  NativeHandle wait_handle() const noexcept { return handle_.get(); }

 private:
  explicit PeerWatch(OwnedHandle handle) noexcept;

  OwnedHandle handle_;
};

}  // namespace remotemedia::platform
