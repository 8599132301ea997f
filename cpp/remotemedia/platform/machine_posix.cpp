// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& folder, const std::string& why) {
  throw Error(ErrorCode::shared_memory_unavailable,
              "the folder for addresses is not used: " + folder.string() + " " + why +
                  "; remove it, or set XDG_RUNTIME_DIR to a folder of yours that nobody else can enter");
}

/// Where the run directory goes: what the session made for this, if it is this user's alone.
std::filesystem::path place_of_run_directory() {
  // NOLINTBEGIN(concurrency-mt-unsafe): a program that changes its environment beside other threads is at fault
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const char* const temporary = std::getenv("TMPDIR");
  // NOLINTEND(concurrency-mt-unsafe)
  struct stat folder {};
  if (runtime != nullptr && *runtime == '/' && stat(runtime, &folder) == 0 && S_ISDIR(folder.st_mode) &&
      folder.st_uid == geteuid() && (folder.st_mode & 022) == 0) {
    return std::filesystem::path(runtime) / "remotemedia";
  }
  const std::filesystem::path place = temporary != nullptr && *temporary == '/' ? temporary : "/tmp";
  return place / ("remotemedia-" + std::to_string(geteuid()));
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::int64_t process_id() noexcept { return getpid(); }

void random_bytes(std::span<std::byte> bytes) {
  constexpr std::size_t kMost = 256;  // of one call
  while (!bytes.empty()) {
    const std::span<std::byte> part = bytes.first(std::min(kMost, bytes.size()));
    if (uninterrupted([&] { return getentropy(part.data(), part.size()); }) != 0) {
      throw_os_error("getentropy", "get random bytes");
    }
    bytes = bytes.subspan(part.size());
  }
}

std::filesystem::path run_directory() {
  std::filesystem::path path = place_of_run_directory();
  const bool made = mkdir(path.c_str(), S_IRWXU) == 0;
  if (!made && errno != EEXIST) throw_os_error("mkdir", "make the folder for addresses " + path.string());
  // What is checked is the open folder, so that nobody can put another in its place meanwhile.
  const OwnedHandle folder(uninterrupted([&] { return open(path.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
  if (!folder) {
    if (errno == ELOOP || errno == ENOTDIR) refuse(path, "is a link or a file");
    if (errno == EACCES) refuse(path, "cannot be opened by this user");
    throw_os_error("open", "open the folder for addresses " + path.string());
  }
  struct stat found {};
  if (fstat(descriptor(folder), &found) != 0) throw_os_error("fstat", "check the folder " + path.string());
  if (found.st_uid != geteuid()) refuse(path, "belongs to user " + std::to_string(found.st_uid));
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) refuse(path, "is open to others");
  return path;
}

}  // namespace remotemedia::platform
