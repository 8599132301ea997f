// SPDX-License-Identifier: Apache-2.0
//
// SharedMemoryAllocator: blocks in long-lived segments whose pages are there, so that allocating touches neither the
// system nor another process.
//
//     SharedMemoryAllocator allocator({.per_session_quota_bytes = 64 << 20});
//     MemoryBlock frame = allocator.allocate(640 * 480 * 3, "camera-1");
//     …                                                     // written in place
//     std::string id = share(frame);                        // another process opens it: memory/exports.h
//
// A session is a wall: its segments hold nobody else's blocks, and are never used again for another session, because
// whoever was shown one block of a segment can read all of it. Blocks without a session share one such wall.
//
// Everything that decides (free lists, counts, leases) lies in this process's own memory; other processes only read.

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/memory/allocator_config.h"
#include "remotemedia/memory/allocator_metrics.h"
#include "remotemedia/memory/memory_block.h"

namespace remotemedia {

namespace detail {
class AllocatorCore;
}

/// Threads:  all functions may be called from any thread.
/// Lifetime: its blocks may outlive it; their memory goes with the last of them.
///           In a forked child blocks stay readable and new memory is heap.
class REMOTEMEDIA_API SharedMemoryAllocator {
 public:
  /// Errors:  invalid_argument for a limit that makes no sense.
  explicit SharedMemoryAllocator(AllocatorConfig config = {});
  SharedMemoryAllocator(const SharedMemoryAllocator&) = delete;
  SharedMemoryAllocator& operator=(const SharedMemoryAllocator&) = delete;
  ~SharedMemoryAllocator();

  /// The one that this process shares, with the default limits. Never destroyed.
  static SharedMemoryAllocator& process();

  /// `bytes`, aligned to 256, not initialised; 0 bytes have an address too. Comes back when its last hold goes.
  ///
  /// Errors:  quota_exceeded, which names session, quota, use and what was asked; OutOfMemory where shared memory is
  ///          refused and heap_fallback is off, or the heap refuses too. Nothing here ends in a signal.
  /// Cost:    at most 50 ns with the release, no system call and no page fault, while the session's segments have room
  ///          and as many blocks lived before; else a new segment: a ready one, or about 1 ms for each MiB.
  ///          A block takes up to 255 bytes more than was asked for.
  MemoryBlock allocate(std::size_t bytes, std::string_view session = {});

  /// Whether `block` is one of this allocator's.
  bool owns(const MemoryBlock& block) const noexcept;

  /// Ends the exports of its blocks that are older than `ttl` (none: lease_ttl; and where that is none too, nothing),
  /// and returns how many. Lets empty segments above the low-water mark go. Memory under a hold, here or in another
  /// process, is never taken.
  ///
  /// Errors:  invalid_argument for a negative `ttl`.
  std::size_t cleanup_expired(std::optional<Duration> ttl = std::nullopt);

  /// Bytes of the session's living blocks as they were asked for, heap fallbacks included.
  std::size_t session_usage(std::string_view session) const;

  /// Ends the session's exports and returns how many of its blocks still live. Their memory comes back with the last
  /// hold; a later allocate() begins the session anew, in other segments.
  std::size_t close_session(std::string_view session);

  AllocatorMetrics metrics() const;

  /// Of all allocators of this process together; what those have counted that are gone included.
  static AllocatorMetrics metrics_of_all();

  /// Ends all exports, lets spare and empty segments go, ends the thread. Blocks stay valid; new ones are heap. Twice
  /// is once.
  void close();

 private:
  detail::AllocatorCore* core_;
};

}  // namespace remotemedia
