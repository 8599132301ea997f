// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/named_memory.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kLongestKey = 250;

class OpenMemory final : public NamedMemory {
 public:
  explicit OpenMemory(OwnedHandle handle) : handle_(std::move(handle)) {}

  std::uint64_t size() const override { return static_cast<std::uint64_t>(state().st_size); }

  void read(std::uint64_t offset, std::span<std::byte> bytes) const override {
    while (!bytes.empty()) {
      const auto count = uninterrupted(
          [&] { return pread(descriptor(handle_), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (count < 0) throw_os_error("pread", "read shared memory of a client");
      if (count == 0) end_before();
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

  void write(std::uint64_t offset, std::span<const std::byte> bytes) const override {
    if (offset + bytes.size() > size()) end_before();
    while (!bytes.empty()) {
      const auto count = uninterrupted(
          [&] { return pwrite(descriptor(handle_), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (count < 0) throw_os_error("pwrite", "write shared memory of a client");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

  struct stat state() const {
    struct stat state {};
    if (fstat(descriptor(handle_), &state) != 0) throw_os_error("fstat", "look at shared memory of a client");
    return state;
  }

 private:
  [[noreturn]] static void end_before() {
    throw Error(ErrorCode::invalid_tensor, "the client's shared memory has become smaller than was said");
  }

  const OwnedHandle handle_;
};

}  // namespace

std::shared_ptr<NamedMemory> NamedMemory::open(const std::string& key) {
  const std::string name = key.substr(key.starts_with('/') ? 1 : 0);
  const bool sound = !name.empty() && name.size() <= kLongestKey && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
  if (!sound) throw Error(ErrorCode::invalid_argument, "the key of the shared memory is no name of a file");
  const std::string what = "open the shared memory '" + name + "'";
  OwnedHandle handle(uninterrupted([&] { return shm_open(("/" + name).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0); }));
  if (!handle) throw_os_error("shm_open", what);
  auto opened = std::make_shared<OpenMemory>(std::move(handle));
  const struct stat state = opened->state();
  if (!S_ISREG(state.st_mode) || state.st_uid != geteuid()) throw OsError("shm_open", EACCES, what);
  return opened;
}

}  // namespace remotemedia::platform
