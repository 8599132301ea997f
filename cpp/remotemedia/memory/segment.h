// SPDX-License-Identifier: Apache-2.0
//
// Segment: shared memory that this process made, mapped writable here and by nobody else, every page present, with a
// header in its first page that says what it is. Blocks lie behind the header.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia {

/// Whether other processes may be given a writable handle.
enum class SegmentWriters { creator_only, anybody_shown };

/// Threads:  immutable once made, but for forbid_new_writers(): nobody asks for handles meanwhile.
class Segment {
 public:
  /// At least `bytes` behind the header, prefaulted, sealed accordingly.
  ///
  /// Errors:  platform::OsError, with nothing left behind.
  static std::shared_ptr<Segment> create(std::size_t bytes, SegmentWriters writers);

  /// For one that was made for anybody_shown, once they have mapped it: from here on nobody else becomes a writer.
  ///
  /// Errors:  platform::OsError.
  void forbid_new_writers() { memory_.forbid_new_writers(); }

  const SegmentHeader& header() const noexcept { return header_; }
  const platform::SharedMemory& memory() const noexcept { return memory_; }
  std::byte* data() const noexcept { return mapping_.data(); }

  /// Header included.
  std::size_t size() const noexcept { return mapping_.size(); }

 private:
  Segment(platform::SharedMemory memory, platform::Mapping mapping, const SegmentHeader& header) noexcept;

  platform::SharedMemory memory_;
  platform::Mapping mapping_;
  SegmentHeader header_;
};

/// Where a block of this process lies, and on which terms it may be exported. Lives as long as the block.
struct SharedLocation {
  const Segment* segment = nullptr;
  std::size_t offset = 0;  ///< Of the block's first byte, from the segment's start.

  const void* allocator = nullptr;  ///< Whose it is; nullptr for a region.
  std::uint64_t session = 0;        ///< Within that allocator.
  std::uint64_t fork_generation =
      0;  ///< Of the process that made it: a forked child has a copy, which it may not export.
  std::optional<Duration> lease_ttl;
  const Clock* clock = nullptr;
};

}  // namespace remotemedia
