// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/mapping_linux.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {
namespace {

constexpr int kPopulateRead = 22;                        // MADV_POPULATE_READ, since Linux 5.14
constexpr int kPopulateWrite = 23;                       // MADV_POPULATE_WRITE
constexpr int kCollapse = 25;                            // MADV_COLLAPSE, since Linux 6.1
constexpr std::size_t kStep = std::size_t{64} << 20;     // between two looks at what the machine has left
constexpr std::size_t kHeadroom = std::size_t{4} << 20;  // for page tables, and for what a group is charged in advance

std::byte* map_whole(int descriptor, std::size_t size, int protection, void* at) noexcept {
  const int flags = at == nullptr ? MAP_SHARED : MAP_SHARED | MAP_FIXED;
  void* const data = mmap(at, size, protection, flags, descriptor, 0);
  return data == MAP_FAILED ? nullptr : static_cast<std::byte*>(data);
}

/// Bytes in [data, data + size) that no process has touched yet; counts no further than beyond `enough`.
std::size_t absent_bytes(std::byte* data, std::size_t size, std::size_t enough) noexcept {
  constexpr std::size_t kPages = 4096;  // at a time
  std::array<unsigned char, kPages> present{};
  const std::size_t page = page_bytes();
  std::size_t absent = 0;
  for (std::size_t done = 0; done < size && absent <= enough;) {
    const std::size_t part = std::min(kPages * page, size - done);
    if (mincore(data + done, part, present.data()) != 0) return size;
    const auto end = present.begin() + static_cast<std::ptrdiff_t>(part / page);
    absent += page * static_cast<std::size_t>(
                         std::count_if(present.begin(), end, [](unsigned char one) { return (one & 1U) == 0; }));
    done += part;
  }
  return absent;
}

/// A control group that runs full ends processes instead of refusing pages, so it is asked before.
void check_room(std::byte* data, std::size_t size, const std::string& what) {
  const std::optional<std::size_t> available = available_memory();
  if (!available) return;
  const std::size_t needed = absent_bytes(data, size, *available);
  if (needed > 0 && needed + kHeadroom > *available) throw OsError("madvise", ENOMEM, what);
}

/// Has the kernel read a byte of each page: it gets the page, or the call an error where the process would get a
/// signal.
bool read_each_page(std::byte* data, std::size_t size) noexcept {
  constexpr std::size_t kPages = 512;
  std::array<iovec, kPages> pages{};
  std::array<std::byte, kPages> read{};
  const std::size_t page = page_bytes();
  for (std::size_t done = 0; done < size;) {
    const std::size_t count = std::min(kPages, (size - done) / page);
    for (std::size_t i = 0; i < count; ++i) pages.at(i) = {.iov_base = data + done + i * page, .iov_len = 1};
    iovec into{.iov_base = read.data(), .iov_len = count};
    const ssize_t got = process_vm_readv(getpid(), &into, 1, pages.data(), count, 0);
    if (got == -1 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got) * page;
  }
  return true;
}

bool populate_range(std::byte* data, std::size_t size, int advice) noexcept {
  if (uninterrupted([&] { return madvise(data, size, advice); }) == 0) return true;
  return errno == EINVAL && read_each_page(data, size);
}

}  // namespace

std::byte* map_aligned(int descriptor, std::size_t size, int protection) noexcept {
  if (size < kHugePageBytes) return map_whole(descriptor, size, protection, nullptr);
  const std::size_t reserved = size + kHugePageBytes;
  void* const space = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(space);
  const std::size_t before = kHugePageBytes - reinterpret_cast<std::uintptr_t>(begin) % kHugePageBytes;
  std::byte* const data = map_whole(descriptor, size, protection, begin + before);
  if (data == nullptr) {
    const int error = errno;
    munmap(begin, reserved);
    errno = error;
    return nullptr;
  }
  munmap(begin, before);
  if (before != kHugePageBytes) munmap(data + size, kHugePageBytes - before);
  return data;
}

void Mapping::populate() {
  const int advice = access_ == Access::read_write ? kPopulateWrite : kPopulateRead;
  const std::string what = "have all of " + std::to_string(size_) + " bytes of shared memory present";
  check_room(data_, size_, what);
  for (std::size_t done = 0; done < size_;) {
    const std::size_t step = std::min(kStep, size_ - done);
    if (done != 0) check_room(data_ + done, step, what);  // others take memory too
    if (!populate_range(data_ + done, step, advice)) throw_os_error("madvise", what);
    done += step;
  }
}

bool Mapping::use_huge_pages() noexcept {
  if (data_ == nullptr) return false;
  madvise(data_, size_, MADV_HUGEPAGE);
  return madvise(data_, size_, kCollapse) == 0;
}

}  // namespace remotemedia::platform
