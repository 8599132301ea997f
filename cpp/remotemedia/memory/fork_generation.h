// SPDX-License-Identifier: Apache-2.0
//
// fork_generation: how many forks lie between this process and the first that asked.
//
// What must not be used by a forked child remembers the number of its maker and compares.

#pragma once

#include <cstdint>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// Threads:  any.
/// Cost:     one load.
REMOTEMEDIA_API std::uint64_t fork_generation() noexcept;

}  // namespace remotemedia
