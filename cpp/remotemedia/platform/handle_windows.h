// SPDX-License-Identifier: Apache-2.0
//
// Handles of Windows as the files of this room use them: casts, duplicates with fewer rights, what a foreign one is.

#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

inline HANDLE raw(NativeHandle handle) noexcept { return reinterpret_cast<HANDLE>(handle); }
inline HANDLE raw(const OwnedHandle& handle) noexcept { return raw(handle.get()); }
inline NativeHandle native(HANDLE handle) noexcept { return reinterpret_cast<NativeHandle>(handle); }

/// GetLastError() as an OsError carries it.
int last_error() noexcept;

/// `handle` if the call that made it succeeded, whichever of its two values Windows uses for none.
///
/// Errors:  OsError with GetLastError().
OwnedHandle made(HANDLE handle, std::string_view call, const std::string& what);

/// A duplicate in this process with `rights`, or with the same ones for 0.
///
/// Errors:  OsError.
OwnedHandle duplicate_of(NativeHandle handle, DWORD rights, const std::string& what);

/// An event that stays set until it is reset.
///
/// Errors:  OsError.
OwnedHandle create_event();

/// What a handle names ("Section", "Event", "File") and what it permits; nothing if it names nothing in this process.
struct HandleFacts {
  std::wstring type;
  DWORD rights = 0;
};
std::optional<HandleFacts> facts_of(NativeHandle handle);

/// For the wait functions: milliseconds until `deadline`, rounded up, INFINITE for TimePoint::max(). A long wait comes
/// in pieces: look at the clock again when one has passed.
DWORD milliseconds_until(TimePoint deadline) noexcept;

/// Whether `handle` became signalled before `deadline`. Takes nothing from an event that stays set.
///
/// Errors:  OsError.
bool wait_for(NativeHandle handle, TimePoint deadline);

}  // namespace remotemedia::platform
