// SPDX-License-Identifier: Apache-2.0
//
// Waiting for the first of several things that other processes do: a message, a ring, a death.

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Waits until one of `handles` (each the wait_handle() of something in this room) is ready or `deadline` has passed on
/// the monotonic clock, and returns the indices of those that are; empty when time ran out. A handle whose other side
/// is gone is ready. A deadline in the past looks once.
///
/// Errors:  OsError.
REMOTEMEDIA_API std::vector<std::size_t> wait_for_any(std::span<const NativeHandle> handles, TimePoint deadline);

}  // namespace remotemedia::platform
