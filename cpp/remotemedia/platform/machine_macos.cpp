// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/machine_macos.h"

#include <mach/mach.h>
#include <sys/sysctl.h>

#include <cstdint>
#include <exception>
#include <limits>

#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {

std::size_t memory_of_machine() noexcept {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  if (sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) != 0) return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(bytes);
}

std::optional<std::size_t> available_memory() noexcept {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const mach_port_t host = mach_host_self();
  const kern_return_t result = host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count);
  mach_port_deallocate(mach_task_self(), host);
  if (result != KERN_SUCCESS) return std::nullopt;
  return (std::size_t{pages.free_count} + pages.inactive_count) * page_bytes();
}

void prefer_huge_pages(std::byte* /*memory*/, std::size_t /*bytes*/) noexcept {}

SharedMemorySupport probe_shared_memory() noexcept {
  SharedMemorySupport support;
  try {
    SharedMemory memory = SharedMemory::create(page_bytes());
    memory.map(Access::read_write).populate();
    memory.forbid_new_writers();
    memory.map(Access::read_only).populate();
    support.available = true;
  } catch (const std::exception& error) {
    support.reason = error.what();
  }
  return support;
}

}  // namespace remotemedia::platform
