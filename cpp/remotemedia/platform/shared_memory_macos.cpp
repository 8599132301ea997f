// SPDX-License-Identifier: Apache-2.0
//
// Shared memory has a name on macOS, for as long as it takes to open it a second time, to be read only. A process that
// is killed between shm_open() and shm_unlink() leaves the name, of an object that has no bytes yet, until the machine
// is started again. Nobody else can open it.
//
// The size of an object can be set once. A descriptor that was opened to be read never yields a writable mapping. One
// that was opened to be written always does: those who were sent one before forbid_new_writers() keep it.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/machine_macos.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/platform/unix_socket_macos.h"

namespace remotemedia::platform {
namespace {

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes of shared memory"; }

std::size_t whole_pages(std::size_t bytes) noexcept { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

std::size_t most_bytes() noexcept { return static_cast<std::size_t>(std::numeric_limits<off_t>::max()) - page_bytes(); }

/// Two descriptors of one object without a name.
struct Opened {
  OwnedHandle writable;
  OwnedHandle readable;
};

Opened open_unnamed(std::size_t size) {
  const std::string name = "/rm-" + random_name(26);  // 30 characters, the most that a name can have; 130 bits
  Opened opened;
  opened.writable = OwnedHandle(uninterrupted(
      [&] { return shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, static_cast<int>(S_IRUSR | S_IWUSR)); }));
  if (!opened.writable) throw_os_error("shm_open", "create " + bytes_text(size));
  opened.readable = OwnedHandle(uninterrupted([&] { return shm_open(name.c_str(), O_RDONLY, 0); }));
  const int error = errno;
  shm_unlink(name.c_str());
  if (!opened.readable) throw OsError("shm_open", error, "create " + bytes_text(size));
  return opened;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the handle that came as shared memory is refused: " + why);
}

/// Such an object is the one thing with a size that is of no type.
void check_kind_and_size(int handle, std::size_t size) {
  struct stat found {};
  if (fstat(handle, &found) != 0 || (found.st_mode & S_IFMT) != 0) refuse("it is no shared memory");
  if (found.st_size < 0 || static_cast<std::size_t>(found.st_size) != size) {
    refuse("it has " + std::to_string(found.st_size) + " bytes and not " + std::to_string(size) + ", as announced");
  }
}

void check_access(int handle, Access access) {
  const int mode = fcntl(handle, F_GETFL);
  if (mode == -1 || (mode & O_ACCMODE) == O_WRONLY) refuse("it cannot be read");
  if (access == Access::read_write && (mode & O_ACCMODE) != O_RDWR) refuse("it cannot be written");
}

}  // namespace

SharedMemory::SharedMemory(OwnedHandle handle, std::size_t size, Access access) noexcept
    : handle_(std::move(handle)), size_(size), access_(access) {}

SharedMemory SharedMemory::create(std::size_t bytes) {
  if (bytes == 0 || bytes > most_bytes()) {
    throw Error(ErrorCode::invalid_argument,
                "shared memory has 1 to " + std::to_string(most_bytes()) + " bytes, not " + std::to_string(bytes));
  }
  const std::size_t size = whole_pages(bytes);
  // This system reserves nothing: it would promise any size, and end processes later.
  if (size > memory_of_machine()) throw OsError("ftruncate", ENOMEM, "create " + bytes_text(size));
  Opened opened = open_unnamed(size);
  if (ftruncate(descriptor(opened.writable), static_cast<off_t>(size)) != 0) {
    throw_os_error("ftruncate", "create " + bytes_text(size));
  }
  SharedMemory memory(std::move(opened.writable), size, Access::read_write);
  memory.read_only_handle_ = std::move(opened.readable);
  return memory;
}

SharedMemory SharedMemory::adopt(OwnedHandle handle, std::size_t bytes, Access access) {
  if (!handle) refuse("there is none");
  if (bytes == 0 || bytes > most_bytes()) {
    refuse("no shared memory has the announced " + std::to_string(bytes) + " bytes");
  }
  const std::size_t size = whole_pages(bytes);
  check_kind_and_size(descriptor(handle), size);
  check_access(descriptor(handle), access);
  SharedMemory memory(std::move(handle), size, access);
  memory.new_writers_forbidden_ = access == Access::read_only;
  return memory;
}

Mapping SharedMemory::map(Access access) const {
  const bool writable = access == Access::read_write;
  if (writable && (access_ == Access::read_only || new_writers_forbidden_)) {
    throw Error(ErrorCode::invalid_argument, "this shared memory can only be mapped to be read");
  }
  const OwnedHandle& from = !writable && read_only_handle_ ? read_only_handle_ : handle_;
  void* const data =
      mmap(nullptr, size_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor(from), 0);
  if (data == MAP_FAILED) throw_os_error("mmap", "map " + bytes_text(size_));
  return {static_cast<std::byte*>(data), size_, access};
}

void SharedMemory::forbid_new_writers() {
  if (read_only_handle_) handle_ = std::move(read_only_handle_);
  new_writers_forbidden_ = true;
}

OwnedHandle SharedMemory::handle_for(Access access) const {
  if (access == Access::read_write) {
    if (access_ == Access::read_only || new_writers_forbidden_) {
      throw Error(ErrorCode::invalid_argument, "this shared memory has no new writers: its handles are to be read");
    }
    return duplicate_descriptor(handle_.get());
  }
  if (read_only_handle_) return duplicate_descriptor(read_only_handle_.get());
  if ((fcntl(descriptor(handle_), F_GETFL) & O_ACCMODE) != O_RDONLY) {
    throw Error(ErrorCode::invalid_argument,
                "a handle of this shared memory could be used to write: ask its creator for one that cannot");
  }
  return duplicate_descriptor(handle_.get());
}

}  // namespace remotemedia::platform
