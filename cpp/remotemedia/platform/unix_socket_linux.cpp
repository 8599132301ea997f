// SPDX-License-Identifier: Apache-2.0

#include <unistd.h>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {

OwnedHandle channel_socket() {
  OwnedHandle made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!made) throw_os_error("socket", "make a channel");
  return made;
}

OwnedHandle probe_socket() noexcept { return OwnedHandle(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

OwnedHandle stream_socket() noexcept {
  return OwnedHandle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

OwnedHandle accept_socket(int listener) noexcept {
  return OwnedHandle(uninterrupted([&] { return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); }));
}

PeerIdentity peer_of(int socket) {
  ucred found{};
  socklen_t size = sizeof found;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) throw_os_error("getsockopt", "identify a peer");
  return {.process = found.pid, .same_user = found.uid == geteuid()};
}

}  // namespace remotemedia::platform
