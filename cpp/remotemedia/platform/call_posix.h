// SPDX-License-Identifier: Apache-2.0
//
// System calls of the POSIX systems: repeated when a signal interrupts them, and thrown as OsError when refused.

#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

inline int descriptor(NativeHandle handle) noexcept { return static_cast<int>(handle); }
inline int descriptor(const OwnedHandle& handle) noexcept { return descriptor(handle.get()); }

/// What `call` returns once no signal interrupts it; -1 with errno if the system refuses.
template <class Call>
auto uninterrupted(Call call) noexcept {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

/// Throws what errno says.
[[noreturn]] void throw_os_error(std::string_view call, const std::string& what);

/// A copy that programs this one starts do not inherit.
///
/// Errors:  OsError.
OwnedHandle duplicate_descriptor(NativeHandle handle);

/// One to close when there are no more, so that a caller can be taken and turned away; none, with errno, if the system
/// refuses.
OwnedHandle spare_descriptor() noexcept;

/// Milliseconds for poll(), rounded up: -1 where `deadline` is never.
int poll_timeout(TimePoint deadline) noexcept;

/// Waits until `descriptor` has one of poll's `events`, or its other side is gone; false when `deadline` passed first.
///
/// Errors:  OsError.
bool wait_for_event(int descriptor, short events, TimePoint deadline);

}  // namespace remotemedia::platform
