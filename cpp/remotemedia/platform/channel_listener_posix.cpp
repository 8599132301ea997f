// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/channel_listener_posix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

using namespace std::chrono_literals;

constexpr int kQueue = 128;
constexpr Duration kPatience = 2s;  // with others who change the same folder

/// Beside the address, and no longer than a short one.
std::filesystem::path unfinished_address(const std::filesystem::path& path) {
  std::array<std::byte, 4> random{};
  random_bytes(random);
  return path.parent_path() / std::string(".").append(hexadecimal(random));
}

/// Takes its name away unless it was told that the name is finished.
struct Unfinished {
  std::filesystem::path path;
  bool finished = false;
  ~Unfinished() {
    if (!finished) unlink(path.c_str());
  }
};

OwnedHandle spare_descriptor() noexcept {
  return OwnedHandle(uninterrupted([] { return open("/dev/null", O_RDONLY | O_CLOEXEC); }));
}

}  // namespace

ChannelListener::Impl::Impl(std::filesystem::path path)
    : socket(channel_socket()), path_(std::move(path)), spare_(spare_descriptor()), owner_(process_id()) {
  const std::string what = "listen at " + path_.string();
  if (!spare_) throw_os_error("open", what);
  unix_address(path_);  // too long a path fails here
  const std::filesystem::path folder = path_.parent_path();
  const FolderLock lock(folder, later(monotonic_clock().now(), kPatience));
  if (!lock.locked()) throw_os_error("flock", what);
  const Occupant occupant = occupant_of(path_);
  if (occupant == Occupant::live_socket || occupant == Occupant::something_else) {
    throw OsError("bind", EADDRINUSE, what);
  }
  Unfinished name{unfinished_address(path_)};
  const sockaddr_un address = unix_address(name.path);
  if (bind(descriptor(socket), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    name.finished = true;  // it is not there, or not ours
    throw_os_error("bind", what);
  }
  struct stat made {};
  if (chmod(name.path.c_str(), S_IRUSR | S_IWUSR) != 0) throw_os_error("chmod", what);
  if (lstat(name.path.c_str(), &made) != 0) throw_os_error("lstat", what);
  if (::listen(descriptor(socket), kQueue) != 0) throw_os_error("listen", what);
  if (rename(name.path.c_str(), path_.c_str()) != 0) throw_os_error("rename", what);
  name.finished = true;
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

ChannelListener::Impl::~Impl() {
  struct stat found {};
  const bool ours =
      process_id() == owner_ && lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (ours) unlink(path_.c_str());
}

OwnedHandle ChannelListener::Impl::accept(TimePoint deadline) {
  if (!spare_) spare_ = spare_descriptor();
  while (wait_for_event(descriptor(socket), POLLIN, deadline)) {
    OwnedHandle caller = accept_socket(descriptor(socket));
    if (caller && peer_of(descriptor(caller)).same_user) return caller;
    if (caller || errno == ECONNABORTED || errno == EAGAIN) continue;
    if (errno == EMFILE || errno == ENFILE) turn_away(errno);
    throw_os_error("accept", "accept a caller at " + path_.string());
  }
  return {};
}

/// Nobody waits for an answer that cannot come. Throws `error`.
void ChannelListener::Impl::turn_away(int error) {
  spare_.close();
  accept_socket(descriptor(socket)).close();
  spare_ = spare_descriptor();
  throw OsError("accept", error, "accept a caller at " + path_.string() + ", who is turned away");
}

ChannelListener::ChannelListener() noexcept = default;
ChannelListener::ChannelListener(ChannelListener&&) noexcept = default;
ChannelListener& ChannelListener::operator=(ChannelListener&&) noexcept = default;
ChannelListener::~ChannelListener() = default;
ChannelListener::ChannelListener(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ChannelListener::operator bool() const noexcept { return impl_ != nullptr; }

ChannelListener ChannelListener::listen(const std::filesystem::path& address) {
  return ChannelListener(std::make_unique<Impl>(address));
}

NativeHandle ChannelListener::wait_handle() const noexcept { return impl_ ? impl_->socket.get() : kNoHandle; }

}  // namespace remotemedia::platform
