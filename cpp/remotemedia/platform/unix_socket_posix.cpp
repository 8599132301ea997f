// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/unix_socket_posix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <system_error>

#include "remotemedia/base/error.h"
#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kClaimBytes = 3;  // of the name

/// With the folder locked nobody is at one: whoever made it is dead.
bool is_claim(const std::filesystem::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  return name.size() == 1 + 2 * kClaimBytes && name.starts_with('.') &&
         name.find_first_not_of("0123456789abcdef", 1) == std::string::npos && entry.is_directory() &&
         !entry.is_symlink();
}

/// Where there is no more in it than was made there.
bool remove_claim(const std::filesystem::path& claim) noexcept {
  const std::filesystem::path socket = claim / kClaimedSocket;
  if (occupant_of(socket) == Occupant::dead_socket) unlink(socket.c_str());
  return rmdir(claim.c_str()) == 0;
}

}  // namespace

void turn_away_caller(int listener, OwnedHandle& spare) noexcept {
  spare.close();
  accept_socket(listener).close();
  spare = spare_descriptor();
}

void send_much_at_once(int socket) noexcept {
  constexpr int kSendBuffer = 1 << 20;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);  // otherwise slower
}

sockaddr_un unix_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.empty() || name.size() >= sizeof address.sun_path || name.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "an address has 1 to " + std::to_string(sizeof address.sun_path - 1) +
                                                 " bytes, not " + std::to_string(name.size()) + ": " + name +
                                                 "; a shorter XDG_RUNTIME_DIR or TMPDIR makes room");
  }
  std::copy(name.begin(), name.end(), address.sun_path);
  return address;
}

Occupant occupant_of(const std::filesystem::path& path) noexcept {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? Occupant::nobody : Occupant::something_else;
  if (!S_ISSOCK(found.st_mode)) return Occupant::something_else;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof address.sun_path) return Occupant::live_socket;
  std::copy(name.begin(), name.end(), address.sun_path);
  // A socket of another type is refused by the living as such (EPROTOTYPE), before they hear of it.
  const OwnedHandle probe = probe_socket();
  if (!probe) return Occupant::live_socket;
  const int result = uninterrupted(
      [&] { return connect(descriptor(probe), reinterpret_cast<const sockaddr*>(&address), sizeof address); });
  if (result == -1 && errno == ENOENT) return Occupant::nobody;
  return result == -1 && errno == ECONNREFUSED ? Occupant::dead_socket : Occupant::live_socket;
}

FolderLock::FolderLock(const std::filesystem::path& folder, TimePoint deadline) noexcept
    : folder_(uninterrupted([&] { return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })) {
  if (!folder_) return;
  while (uninterrupted([&] { return flock(descriptor(folder_), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK && monotonic_clock().now() < deadline) {
      poll(nullptr, 0, 1);  // there is no way to wait for a lock and for a deadline
      continue;
    }
    folder_.close();
    return;
  }
}

FolderLock::~FolderLock() {
  // Said aloud, since a child forked meanwhile has a copy of the descriptor.
  if (folder_) flock(descriptor(folder_), LOCK_UN);
}

std::filesystem::path claim_in(const std::filesystem::path& folder) {
  std::array<std::byte, kClaimBytes> random{};
  random_bytes(random);
  return folder / std::string(".").append(hexadecimal(random));
}

std::size_t remove_dead_addresses(const std::filesystem::path& folder) noexcept {
  std::size_t removed = 0;
  try {
    const FolderLock lock(folder, TimePoint::min());
    if (!lock.locked()) return 0;
    for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(folder)) {
      if (is_claim(entry)) {
        removed += remove_claim(entry.path()) ? 1 : 0;
      } else if (occupant_of(entry.path()) == Occupant::dead_socket && unlink(entry.path().c_str()) == 0) {
        ++removed;
      }
    }
  } catch (const std::exception&) {
    return removed;  // what could not be listed stays
  }
  return removed;
}

}  // namespace remotemedia::platform
