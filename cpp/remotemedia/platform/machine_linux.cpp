// SPDX-License-Identifier: Apache-2.0

#include <sys/mman.h>

#include <exception>

#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/memory_limits_linux.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {

void prefer_huge_pages(std::byte* memory, std::size_t bytes) noexcept { madvise(memory, bytes, MADV_HUGEPAGE); }

std::optional<std::size_t> available_memory() noexcept { return available_memory_below("/"); }

SharedMemorySupport probe_shared_memory() noexcept {
  SharedMemorySupport support;
  try {
    SharedMemory memory = SharedMemory::create(kHugePageBytes);
    Mapping mapping = memory.map(Access::read_write);
    mapping.populate();
    support.available = true;
    support.huge_pages = mapping.use_huge_pages();
    memory.forbid_new_writers();
    support.seals = true;
  } catch (const std::exception& error) {
    if (!support.available) support.reason = error.what();
  }
  return support;
}

}  // namespace remotemedia::platform
