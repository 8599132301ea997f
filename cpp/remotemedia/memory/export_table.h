// SPDX-License-Identifier: Apache-2.0
//
// What this process has exported: who ends which exports.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "remotemedia/base/clock.h"

namespace remotemedia {

/// Ends the exports of an allocator's blocks: all, or those of one session; made at `made_until` or before. Their ids
/// cannot be opened any more; importers that have come keep what they have. Returns how many were ended.
///
/// Threads:  from any, without a lock that giving a block back would need.
std::size_t end_exports(const void* allocator, std::optional<std::uint64_t> session, TimePoint made_until) noexcept;

}  // namespace remotemedia
