// SPDX-License-Identifier: Apache-2.0
//
// What macOS refuses to shared memory (XNU, posix_shm.c).

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

#include "platform/macos_fake/macos_fake.h"

namespace remotemedia::macos_fake {
namespace {

/// 31 with the zero at the end, in systems before and after XNU 6153 alike.
constexpr std::size_t kLongestName = 30;

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

int refuse(int error) {
  errno = error;
  return -1;
}

}  // namespace

bool is_shared_memory(int descriptor) noexcept {
  static constexpr std::string_view kFolder = "/dev/shm/";
  std::array<char, kFolder.size()> target{};
  const int error = errno;
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  errno = error;
  return size == static_cast<ssize_t>(target.size()) && std::string_view(target.data(), target.size()) == kFolder;
}

void about_to_call(std::string_view name) {
  static const std::string last = [] {
    const char* const value = std::getenv(kKillBefore);
    return std::string(value == nullptr ? "" : value);
  }();
  if (last.empty() || last.substr(0, last.rfind(':')) != name) return;
  static std::atomic<int> left{std::atoi(last.substr(last.rfind(':') + 1).c_str())};
  if (--left == 0) raise(SIGKILL);
}

}  // namespace remotemedia::macos_fake

using remotemedia::macos_fake::about_to_call;
using remotemedia::macos_fake::is_shared_memory;
using remotemedia::macos_fake::refuse;
using remotemedia::macos_fake::whole_pages;

extern "C" {

int __real_shm_open(const char* name, int flags, mode_t mode);
int __real_shm_unlink(const char* name);
int __real_ftruncate(int descriptor, off_t size);
int __real_fstat(int descriptor, struct stat* result);
void* __real_mmap(void* at, size_t size, int protection, int flags, int descriptor, off_t offset);
int __real_mprotect(void* at, size_t size, int protection);
int __real_open(const char* path, int flags, mode_t mode);
ssize_t __real_read(int descriptor, void* bytes, size_t size);
ssize_t __real_write(int descriptor, const void* bytes, size_t size);
ssize_t __real_pread(int descriptor, void* bytes, size_t size, off_t offset);
ssize_t __real_pwrite(int descriptor, const void* bytes, size_t size, off_t offset);

int __wrap_shm_open(const char* name, int flags, mode_t mode) {
  about_to_call("shm_open");
  if (std::string_view(name).size() > remotemedia::macos_fake::kLongestName) return refuse(ENAMETOOLONG);
  return __real_shm_open(name, flags, mode);
}

int __wrap_shm_unlink(const char* name) {
  about_to_call("shm_unlink");
  return __real_shm_unlink(name);
}

/// Once in the life of the object, whichever process asks, and to whole pages.
int __wrap_ftruncate(int descriptor, off_t size) {
  about_to_call("ftruncate");
  if (!is_shared_memory(descriptor)) return __real_ftruncate(descriptor, size);
  struct stat found {};
  if (__real_fstat(descriptor, &found) != 0) return -1;
  if (found.st_size != 0) return refuse(EINVAL);
  return __real_ftruncate(descriptor, static_cast<off_t>(whole_pages(static_cast<size_t>(size))));
}

/// Says owner, permissions and size, and nothing else.
int __wrap_fstat(int descriptor, struct stat* result) {
  about_to_call("fstat");
  struct stat found {};
  if (__real_fstat(descriptor, &found) != 0) return -1;
  *result = found;
  if (!is_shared_memory(descriptor)) return 0;
  *result = {};
  result->st_mode = found.st_mode & ~static_cast<mode_t>(S_IFMT);
  result->st_uid = found.st_uid;
  result->st_gid = found.st_gid;
  result->st_size = found.st_size;
  return 0;
}

void* __wrap_mmap(void* at, size_t size, int protection, int flags, int descriptor, off_t offset) {
  about_to_call("mmap");
  if (descriptor != -1 && is_shared_memory(descriptor)) {
    struct stat found {};
    if (__real_fstat(descriptor, &found) != 0) return MAP_FAILED;
    const bool to_be_read = (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY;
    const bool is_shared = (flags & MAP_TYPE) == MAP_SHARED;
    if (is_shared && to_be_read && (protection & PROT_WRITE) != 0) {
      errno = EPERM;
      return MAP_FAILED;
    }
    if (!is_shared || found.st_size == 0 || offset + static_cast<off_t>(whole_pages(size)) > found.st_size) {
      errno = EINVAL;
      return MAP_FAILED;
    }
  }
  return __real_mmap(at, size, protection, flags, descriptor, offset);
}

int __wrap_mprotect(void* at, size_t size, int protection) {
  about_to_call("mprotect");
  return __real_mprotect(at, size, protection);
}

/// macOS has no /proc, through which a descriptor of Linux can be opened once more to be written.
int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (std::string_view(path).substr(0, 6) == "/proc/") return refuse(ENOENT);
  return __real_open(path, flags, mode);
}

ssize_t __wrap_read(int descriptor, void* bytes, size_t size) {
  return is_shared_memory(descriptor) ? refuse(ENXIO) : __real_read(descriptor, bytes, size);
}

ssize_t __wrap_write(int descriptor, const void* bytes, size_t size) {
  return is_shared_memory(descriptor) ? refuse(ENXIO) : __real_write(descriptor, bytes, size);
}

ssize_t __wrap_pread(int descriptor, void* bytes, size_t size, off_t offset) {
  return is_shared_memory(descriptor) ? refuse(ESPIPE) : __real_pread(descriptor, bytes, size, offset);
}

ssize_t __wrap_pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return is_shared_memory(descriptor) ? refuse(ESPIPE) : __real_pwrite(descriptor, bytes, size, offset);
}
}
