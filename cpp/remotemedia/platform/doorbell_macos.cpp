// SPDX-License-Identifier: Apache-2.0
//
// A datagram socket that is connected to itself: one descriptor that any process can ring and wait at. A pipe has two
// ends, and a ring could block where a peer takes O_NONBLOCK away from the descriptor that both sides share; a datagram
// to a full queue of this system never waits.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/unix_socket_macos.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

/// More rings than a queue of this system holds; a peer that rings all the time must not keep a waiter here.
constexpr int kMostRingsTakenAtOnce = 1024;

/// The name that a socket needs to be connected, gone from the folder when the connection stands.
class PassingName {
 public:
  PassingName() : path_(run_directory() / (".bell-" + random_name(16))) {}
  ~PassingName() { ::unlink(path_.c_str()); }
  PassingName(const PassingName&) = delete;
  PassingName& operator=(const PassingName&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

bool is_connected_to_itself(int socket) noexcept {
  int type = 0;
  socklen_t type_bytes = sizeof type;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 || type != SOCK_DGRAM) return false;
  sockaddr_un own{};
  sockaddr_un other{};
  socklen_t own_bytes = sizeof own;
  socklen_t other_bytes = sizeof other;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_bytes) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&other), &other_bytes) == 0 && own.sun_family == AF_UNIX &&
         own_bytes == other_bytes && own_bytes > offsetof(sockaddr_un, sun_path) && own.sun_path[0] != '\0' &&
         std::memcmp(own.sun_path, other.sun_path, own_bytes - offsetof(sockaddr_un, sun_path)) == 0;
}

}  // namespace

Doorbell::Doorbell(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

Doorbell Doorbell::create() {
  OwnedHandle handle = local_socket(SOCK_DGRAM);
  const PassingName name;
  const sockaddr_un address = unix_address(name.path());
  const auto* const itself = reinterpret_cast<const sockaddr*>(&address);
  if (bind(descriptor(handle), itself, sizeof address) != 0) throw_os_error("bind", "make a doorbell");
  if (connect(descriptor(handle), itself, sizeof address) != 0) throw_os_error("connect", "make a doorbell");
  return Doorbell(std::move(handle));
}

Doorbell Doorbell::adopt(OwnedHandle handle) {
  if (!is_connected_to_itself(descriptor(handle))) {
    throw Error(ErrorCode::protocol_error, "the handle that came as a doorbell is none");
  }
  if (!prepare_socket(descriptor(handle))) throw_os_error("fcntl", "prepare a doorbell");
  return Doorbell(std::move(handle));
}

void Doorbell::ring() noexcept {
  const char one = 1;
  uninterrupted([&] { return ::send(descriptor(handle_), &one, 1, 0); });  // a full queue is rung already
}

bool Doorbell::wait(TimePoint deadline) {
  for (;;) {
    char ring = 0;
    const auto take = [&] { return recv(descriptor(handle_), &ring, sizeof ring, MSG_DONTWAIT); };
    int taken = 0;
    while (taken < kMostRingsTakenAtOnce && uninterrupted(take) >= 0) ++taken;
    if (taken > 0) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) throw_os_error("recv", "wait at a doorbell");
    if (!wait_for_event(descriptor(handle_), POLLIN, deadline)) return false;
  }
}

OwnedHandle Doorbell::duplicate() const { return duplicate_descriptor(handle_.get()); }

NativeHandle Doorbell::wait_handle() const noexcept { return handle_.get(); }

}  // namespace remotemedia::platform
