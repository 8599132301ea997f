// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/unix_socket_macos.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/ucred.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {

bool prepare_socket(int socket) noexcept {
  const int on = 1;
  if (fcntl(socket, F_SETFD, FD_CLOEXEC) == -1 || fcntl(socket, F_SETFL, O_NONBLOCK) == -1) return false;
  // EINVAL is what a socket says whose peer has gone already. Whoever sends looks whether the option was taken.
  return setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) == 0 || errno == EINVAL;
}

OwnedHandle local_socket(int type) {
  OwnedHandle made(socket(AF_UNIX, type, 0));
  if (!made || !prepare_socket(descriptor(made))) throw_os_error("socket", "make a local socket");
  return made;
}

OwnedHandle channel_socket() { return local_socket(SOCK_STREAM); }

OwnedHandle probe_socket() noexcept {
  OwnedHandle made(socket(AF_UNIX, SOCK_DGRAM, 0));
  if (made && !prepare_socket(descriptor(made))) made.close();
  return made;
}

OwnedHandle stream_socket() noexcept {
  OwnedHandle made(socket(AF_UNIX, SOCK_STREAM, 0));
  if (made && !prepare_socket(descriptor(made))) made.close();
  return made;
}

OwnedHandle accept_socket(int listener) noexcept {
  OwnedHandle caller(uninterrupted([&] { return accept(listener, nullptr, nullptr); }));
  if (caller && !prepare_socket(descriptor(caller))) caller.close();
  return caller;
}

PeerIdentity peer_of(int socket) {
  xucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERCRED, &credentials, &size) != 0) {
    throw_os_error("getsockopt", "identify a peer");
  }
  PeerIdentity peer;
  peer.same_user = credentials.cr_version == XUCRED_VERSION && credentials.cr_uid == geteuid();
  pid_t process = 0;
  size = sizeof process;
  // This system forgets the process once its end is closed.
  if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &process, &size) == 0) peer.process = process;
  return peer;
}

std::string random_name(std::size_t digits) {
  static constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  std::vector<std::byte> random(digits);
  random_bytes(random);
  std::string name;
  for (const std::byte one : random) name += kDigits[std::to_integer<std::size_t>(one) % kDigits.size()];
  return name;
}

}  // namespace remotemedia::platform
