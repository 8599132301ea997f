// SPDX-License-Identifier: Apache-2.0
//
// The limits of a SharedMemoryAllocator.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "remotemedia/base/clock.h"

namespace remotemedia {

struct AllocatorConfig {
  /// Bytes of shared memory that its segments may take in all, those being made included. None: 10 GiB, or what the
  /// machine and its control groups leave when the allocator is made, whichever is less.
  std::optional<std::size_t> max_memory_bytes = std::nullopt;

  /// Bytes that the living blocks of one session may have in all. None: no limit.
  std::optional<std::size_t> per_session_quota_bytes = std::nullopt;

  /// How long an export keeps its memory for an importer that has not come yet, although the exporter has let go of it,
  /// and how old an export may become before cleanup ends it. None: not at all, and as old as it likes.
  std::optional<Duration> lease_ttl = std::nullopt;

  /// How often the allocator's own thread looks for expired exports and empty segments.
  Duration cleanup_interval = std::chrono::seconds{60};

  /// Where shared memory is refused: memory of this process, and a count of the reason. False: OutOfMemory.
  bool heap_fallback = true;

  /// A session's first segment, and every later one; less where the budget leaves less. What is larger than the first,
  /// or than half of a later one, gets a segment of its own. At least 8 KiB.
  std::size_t first_segment_bytes = std::size_t{8} << 20;
  std::size_t segment_bytes = std::size_t{64} << 20;

  /// Later segments are as large as all that the session has already, or as four blocks like the one asked for, up to
  /// segment_bytes: for many sessions, each with little.
  bool segments_grow = false;

  /// Segments of either size that are kept ready, never shown to anybody, so that the next session need not wait for
  /// its pages. Made in the background once one of that size was needed, if the budget has room for two.
  std::size_t spare_segments = 1;

  /// Cleanup returns empty segments of living sessions to the system until this much is reserved. Spare ones stay.
  std::size_t low_water_bytes = std::size_t{64} << 20;

  /// Must outlive the allocator and all its blocks. None: the machine's.
  const Clock* clock = nullptr;
};

}  // namespace remotemedia
