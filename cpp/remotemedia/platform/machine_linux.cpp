// SPDX-License-Identifier: Apache-2.0

#include <exception>

#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/memory_limits_linux.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {

std::optional<std::size_t> available_memory() noexcept { return available_memory_below("/"); }

SharedMemorySupport probe_shared_memory() noexcept {
  constexpr std::size_t kBytes = std::size_t{2} << 20;  // the least that can be a huge page
  SharedMemorySupport support;
  try {
    SharedMemory memory = SharedMemory::create(kBytes);
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
