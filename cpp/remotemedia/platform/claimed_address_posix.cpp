// SPDX-License-Identifier: Apache-2.0

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/claimed_address.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 2s;  // with others who change the same folder

}  // namespace

struct ClaimedAddress::Impl {
  explicit Impl(std::filesystem::path claimed) : path(std::move(claimed)), owner(process_id()) {
    unix_address(path);  // too long a path fails here
    lock.emplace(path.parent_path(), later(monotonic_clock().now(), kPatience));
    if (!lock->locked()) throw_os_error("flock", what());
    const Occupant occupant = occupant_of(path);
    if (occupant == Occupant::live_socket || occupant == Occupant::something_else) {
      throw OsError("bind", EADDRINUSE, what());
    }
    folder = claim_in(path.parent_path());
    if (mkdir(folder.c_str(), S_IRWXU) != 0) throw_os_error("mkdir", what());
    unfinished = folder / kClaimedSocket;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (process_id() != owner) return;
    forget_unfinished();
    struct stat found {};
    const bool ours = published && lstat(path.c_str(), &found) == 0 && found.st_dev == device && found.st_ino == inode;
    if (ours) unlink(path.c_str());
  }

  std::string what() const { return "listen at " + path.string(); }

  void forget_unfinished() const noexcept {
    unlink(unfinished.c_str());
    rmdir(folder.c_str());
  }

  const std::filesystem::path path;
  const std::int64_t owner;
  std::optional<FolderLock> lock;
  std::filesystem::path folder;
  std::filesystem::path unfinished;
  bool published = false;
  dev_t device = 0;
  ino_t inode = 0;
};

ClaimedAddress::ClaimedAddress(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
ClaimedAddress::ClaimedAddress(ClaimedAddress&&) noexcept = default;
ClaimedAddress& ClaimedAddress::operator=(ClaimedAddress&&) noexcept = default;
ClaimedAddress::~ClaimedAddress() = default;

const std::filesystem::path& ClaimedAddress::unfinished() const noexcept { return impl_->unfinished; }

void ClaimedAddress::publish() {
  struct stat made {};
  const std::filesystem::path& unfinished = impl_->unfinished;
  if (chmod(unfinished.c_str(), S_IRUSR | S_IWUSR) != 0) throw_os_error("chmod", impl_->what());
  if (lstat(unfinished.c_str(), &made) != 0) throw_os_error("lstat", impl_->what());
  if (rename(unfinished.c_str(), impl_->path.c_str()) != 0) throw_os_error("rename", impl_->what());
  impl_->device = made.st_dev;
  impl_->inode = made.st_ino;
  impl_->published = true;
  impl_->forget_unfinished();
  impl_->lock.reset();
}

}  // namespace remotemedia::platform
