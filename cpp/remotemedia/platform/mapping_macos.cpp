// SPDX-License-Identifier: Apache-2.0

#include <cerrno>
#include <optional>
#include <string>

#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {
namespace {

/// Writes what is there, so that the page is there to be written and nobody sees a change.
void touch_to_write(std::byte& byte) noexcept {
  auto* const at = reinterpret_cast<unsigned char*>(&byte);  // the library of this system may lack std::atomic_ref
  unsigned char value = __atomic_load_n(at, __ATOMIC_RELAXED);
  __atomic_compare_exchange_n(at, &value, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

}  // namespace

void Mapping::populate() {
  // This system refuses no page: it pushes others out, and at last ends processes. So it is asked before.
  const std::optional<std::size_t> available = available_memory();
  if (access_ == Access::read_write && available && size_ > *available) {
    throw OsError("mmap", ENOMEM, "have all of " + std::to_string(size_) + " bytes of shared memory present");
  }
  const std::size_t page = page_bytes();
  for (std::size_t at = 0; at < size_; at += page) {
    if (access_ == Access::read_write) {
      touch_to_write(data_[at]);
    } else {
      static_cast<void>(*static_cast<const volatile std::byte*>(data_ + at));
    }
  }
}

bool Mapping::use_huge_pages() noexcept { return false; }  // this system has none to give to shared memory

}  // namespace remotemedia::platform
