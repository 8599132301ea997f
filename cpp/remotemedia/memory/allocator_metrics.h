// SPDX-License-Identifier: Apache-2.0
//
// What a SharedMemoryAllocator tells about itself.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace remotemedia {

struct AllocatorMetrics {
  std::size_t regions_active = 0;   ///< Segments that exist, spare ones included.
  std::size_t bytes_reserved = 0;   ///< Their bytes, and those of segments being made.
  std::size_t bytes_allocated = 0;  ///< Bytes of living blocks, as asked for, in shared memory.
  std::uint64_t allocations_total = 0;
  std::uint64_t frees_total = 0;

  /// Blocks that became memory of this process, by reason: "budget", "forked", "closed", or the system call that was
  /// refused ("memfd_create", "mmap", "populate", …).
  std::map<std::string, std::uint64_t> fallbacks;
};

}  // namespace remotemedia
