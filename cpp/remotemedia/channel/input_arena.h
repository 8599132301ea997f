// SPDX-License-Identifier: Apache-2.0
//
// InputArena: a client's blocks in segments that its worker made for it and reads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/channel/session_messages.h"
#include "remotemedia/channel/tensor_sending.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/range_allocator.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// Lifetime:  lives as long as any of its blocks.
/// Threads:   any.
class InputArena : public std::enable_shared_from_this<InputArena> {
 public:
  InputArena() = default;
  InputArena(const InputArena&) = delete;
  InputArena& operator=(const InputArena&) = delete;

  /// Errors:  std::bad_alloc.
  void add(const SegmentGrant& grant, platform::Mapping mapping);

  /// An empty block where no segment has room.
  MemoryBlock allocate(std::size_t bytes);

  /// Where the worker sees `block`; none where it does not.
  std::optional<SegmentPlace> find(const MemoryBlock& block) const noexcept;

 private:
  class Block;

  struct Space {
    SegmentGrant grant;
    platform::Mapping mapping;
  };

  void give_back(Range* range) noexcept;

  const std::uint64_t fork_generation_ = current_fork_generation();
  static std::uint64_t current_fork_generation() noexcept;

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Space>> spaces_ REMOTEMEDIA_GUARDED_BY(mutex_);
  RangeAllocator ranges_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
