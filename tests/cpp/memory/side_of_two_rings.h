// SPDX-License-Identifier: Apache-2.0
//
// SideOfTwoRings: two processes, each of which writes to a ring of its own and reads the other's, which is read-only to
// it.

#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/memory/shared_memory_allocator.h"

namespace remotemedia::testing {

inline constexpr std::size_t kDepthOfTwoRings = 64;

/// What one process writes: its records, then how far it has read those of the other.
inline MemoryBlock memory_of_one_side(SharedMemoryAllocator& allocator) {
  MemoryBlock block = allocator.allocate(2 * writer_part_bytes(kDepthOfTwoRings));
  std::memset(block.data(), 0, block.size());
  return block;
}

struct SideOfTwoRings {
  SideOfTwoRings(const MemoryBlock& mine, const MemoryBlock& theirs)
      : out(records_of(mine), replies_of(theirs), kDepthOfTwoRings),
        in(records_of(theirs), replies_of(mine), kDepthOfTwoRings) {}

  static std::span<std::byte> records_of(const MemoryBlock& side) {
    return {side.data(), writer_part_bytes(kDepthOfTwoRings)};
  }
  static std::span<std::byte> replies_of(const MemoryBlock& side) {
    return {side.data() + writer_part_bytes(kDepthOfTwoRings), kReaderPartBytes};
  }

  RecordWriter out;
  RecordReader in;
};

}  // namespace remotemedia::testing
