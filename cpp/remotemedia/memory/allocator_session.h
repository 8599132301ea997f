// SPDX-License-Identifier: Apache-2.0
//
// What an allocator knows of one session: its segments, which parts of them are in use, and by which blocks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/range_allocator.h"
#include "remotemedia/memory/segment.h"

namespace remotemedia::detail {

class AllocatorCore;
struct Session;

/// A segment that is an allocator's. Lists of them change hands without memory being needed.
struct OwnedSegment {
  std::shared_ptr<Segment> segment;
  Range* first = nullptr;  ///< Of a session's segment: see RangeAllocator::is_empty().

  std::size_t bytes() const noexcept { return segment->size(); }
};
using SegmentList = std::list<OwnedSegment>;

inline std::size_t bytes_of(const SegmentList& segments) noexcept {
  std::size_t bytes = 0;
  for (const OwnedSegment& one : segments) bytes += one.bytes();
  return bytes;
}

/// Any block of an allocator.
class SessionBlock : public BlockOwner {
 public:
  SessionBlock(AllocatorCore& core, Session& session) noexcept : core_(core), session_(&session) {}
  SessionBlock(AllocatorCore& core, Session& session, std::byte* data, std::size_t bytes) noexcept
      : BlockOwner(data, bytes, BlockKind::heap, false), core_(core), session_(&session) {}

  AllocatorCore& core() const noexcept { return core_; }
  Session& session() const noexcept { return *session_; }

 protected:
  ~SessionBlock() = default;

 private:
  AllocatorCore& core_;
  Session* session_;
};

/// One in a segment. Used again and again by its session.
class SharedBlock final : public SessionBlock {
 public:
  SharedBlock(AllocatorCore& core, Session& session, const SharedLocation& terms) noexcept
      : SessionBlock(core, session), location_(terms) {
    kind_ = BlockKind::shared_memory;
  }

  const SharedLocation* shared_location() const noexcept override { return &location_; }

  /// From here on it is `bytes` bytes in `range`, and nobody has a hold.
  void lie_in(Range& range, std::size_t bytes) noexcept {
    const Segment& segment = *static_cast<const OwnedSegment*>(range.space)->segment;
    range_ = &range;
    location_.segment = &segment;
    location_.offset = range.offset;
    data_ = segment.data() + range.offset;
    size_ = bytes;
    holds_.store(0, std::memory_order_relaxed);
  }

  Range* range() const noexcept { return range_; }

  SharedBlock* next_unused = nullptr;  ///< While it is no block.

 private:
  void give_back() noexcept override;

  Range* range_ = nullptr;
  SharedLocation location_;
};

/// One for which there was no shared memory.
class FallbackBlock final : public SessionBlock {
 public:
  FallbackBlock(AllocatorCore& core, Session& session, MemoryBlock memory) noexcept
      : SessionBlock(core, session, memory.data(), memory.size()), memory_(std::move(memory)) {}

 private:
  void give_back() noexcept override;

  MemoryBlock memory_;
};

/// Threads:  guarded by its allocator's mutex.
struct Session {
  Session(std::uint64_t its_id, std::string_view its_name) : id(its_id), name(its_name) {}

  const std::uint64_t id;
  const std::string name;
  SegmentList segments;
  RangeAllocator ranges;

  std::size_t used_bytes = 0;  ///< As asked for, by living blocks and those being made.
  std::size_t blocks = 0;      ///< Living ones and those being made.
  std::size_t pending = 0;     ///< Those being made.
  bool growing = false;        ///< Somebody makes a segment for it.
  bool closed = false;         ///< Has no name any more, and ends with its last block.

  std::deque<SharedBlock> owners;  ///< All that were ever needed at a time,
  SharedBlock* unused = nullptr;   ///< and those that are no block now.
};

}  // namespace remotemedia::detail
