// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/mapping_linux.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {
namespace {

constexpr unsigned kNoExecSeal = 0x8;  // MFD_NOEXEC_SEAL, since Linux 6.3
constexpr int kFixedSize = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int kNoNewWriters = F_SEAL_FUTURE_WRITE | F_SEAL_WRITE;  // either is enough

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes of shared memory"; }

std::size_t whole_pages(std::size_t bytes) {
  const std::size_t page = page_bytes();
  const auto most = static_cast<std::size_t>(std::numeric_limits<off_t>::max()) - page;
  if (bytes == 0 || bytes > most) {
    throw Error(ErrorCode::invalid_argument,
                "shared memory has 1 to " + std::to_string(most) + " bytes, not " + std::to_string(bytes));
  }
  return (bytes + page - 1) / page * page;
}

OwnedHandle make_memfd(std::size_t size) {
  OwnedHandle handle(memfd_create("remotemedia", MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal));
  if (!handle && errno == EINVAL) handle = OwnedHandle(memfd_create("remotemedia", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!handle) throw_os_error("memfd_create", "create " + bytes_text(size));
  return handle;
}

/// ftruncate() beyond the limit for files would raise SIGXFSZ.
void check_file_size_limit(std::size_t size) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur) {
    throw OsError("ftruncate", EFBIG, "create " + bytes_text(size));
  }
}

/// -1 if `descriptor` is nothing that can be sealed.
int seals_of(int descriptor) noexcept { return fcntl(descriptor, F_GET_SEALS); }

bool forbids_new_writers(int descriptor) noexcept {
  const int seals = seals_of(descriptor);
  return seals != -1 && (seals & kNoNewWriters) != 0;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the handle that came as shared memory is refused: " + why);
}

void check_kind(int descriptor) {
  struct stat file {};
  struct statfs system {};
  if (fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode) || fstatfs(descriptor, &system) != 0 ||
      system.f_type != TMPFS_MAGIC) {
    refuse("it is no shared memory of ordinary pages");
  }
}

void check_size(int descriptor, std::size_t size) {
  if ((seals_of(descriptor) & kFixedSize) != kFixedSize) refuse("its size can change");
  struct stat file {};
  if (fstat(descriptor, &file) != 0 || static_cast<std::size_t>(file.st_size) != size) {
    refuse("it has " + std::to_string(file.st_size) + " bytes and not " + std::to_string(size) + ", as announced");
  }
}

void check_access(int descriptor, Access access) {
  const int mode = fcntl(descriptor, F_GETFL);
  if (mode == -1 || (mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_WRONLY) refuse("it cannot be read");
  if (access == Access::read_only) return;
  if ((mode & O_ACCMODE) != O_RDWR || forbids_new_writers(descriptor)) refuse("it cannot be written");
}

}  // namespace

SharedMemory::SharedMemory(OwnedHandle handle, std::size_t size, Access access) noexcept
    : handle_(std::move(handle)), size_(size), access_(access) {}

SharedMemory SharedMemory::create(std::size_t bytes) {
  const std::size_t size = whole_pages(bytes);
  check_file_size_limit(size);
  OwnedHandle handle = make_memfd(size);
  const int memfd = descriptor(handle);
  // A new memfd can be opened by anybody who finds it in /proc. Whoever is sent the descriptor needs no permission.
  if (fchmod(memfd, 0) != 0) throw_os_error("fchmod", "protect " + bytes_text(size));
  if (uninterrupted([&] { return ftruncate(memfd, static_cast<off_t>(size)); }) != 0) {
    throw_os_error("ftruncate", "create " + bytes_text(size));
  }
  if (fcntl(memfd, F_ADD_SEALS, kFixedSize) != 0) throw_os_error("fcntl", "fix the size of " + bytes_text(size));
  return {std::move(handle), size, Access::read_write};
}

SharedMemory SharedMemory::adopt(OwnedHandle handle, std::size_t bytes, Access access) {
  if (!handle) refuse("there is none");
  check_kind(descriptor(handle));
  if (bytes == 0 || bytes > static_cast<std::size_t>(std::numeric_limits<off_t>::max()) - page_bytes()) {
    refuse("no shared memory has the announced " + std::to_string(bytes) + " bytes");
  }
  const std::size_t size = whole_pages(bytes);
  check_size(descriptor(handle), size);
  check_access(descriptor(handle), access);
  SharedMemory memory(std::move(handle), size, access);
  memory.new_writers_forbidden_ = forbids_new_writers(descriptor(memory.handle_));
  return memory;
}

Mapping SharedMemory::map(Access access) const {
  const bool writable = access == Access::read_write;
  if (writable && (access_ == Access::read_only || forbids_new_writers(descriptor(handle_)))) {
    throw Error(ErrorCode::invalid_argument, "this shared memory can only be mapped to be read");
  }
  std::byte* const data = map_aligned(descriptor(handle_), size_, writable ? PROT_READ | PROT_WRITE : PROT_READ);
  if (data == nullptr) throw_os_error("mmap", "map " + bytes_text(size_));
  // What models and users work on does not go into core dumps; where that cannot be had, it is still theirs to use.
  madvise(data, size_, MADV_DONTDUMP);
  return {data, size_, access};
}

void SharedMemory::forbid_new_writers() {
  const int memfd = descriptor(handle_);
  const int seals = seals_of(memfd);
  if (seals == -1) throw_os_error("fcntl", "forbid new writers of " + bytes_text(size_));
  if ((seals & kNoNewWriters) == 0 && fcntl(memfd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
    throw_os_error("fcntl", "forbid new writers of " + bytes_text(size_));
  }
  new_writers_forbidden_ = true;
}

OwnedHandle SharedMemory::handle_for(Access access) const {
  const bool forbidden = forbids_new_writers(descriptor(handle_));
  if (access == Access::read_write && (forbidden || access_ == Access::read_only)) {
    throw Error(ErrorCode::invalid_argument, "this shared memory has no new writers: its handles are to be read");
  }
  if (access == Access::read_only && !forbidden) {
    throw Error(ErrorCode::invalid_argument,
                "a handle of this shared memory could be made writable: call forbid_new_writers() first");
  }
  return duplicate_descriptor(handle_.get());
}

}  // namespace remotemedia::platform
