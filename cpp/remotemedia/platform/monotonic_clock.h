// SPDX-License-Identifier: Apache-2.0
//
// The machine's monotonic clock.

#pragma once

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"

namespace remotemedia {

/// Cost: coarse_now() about 3 ns where the system has a coarse clock (Linux: its tick, at most 10 ms late).
/// Lifetime: the whole process, static destruction included.
REMOTEMEDIA_API const Clock& monotonic_clock() noexcept;

}  // namespace remotemedia
