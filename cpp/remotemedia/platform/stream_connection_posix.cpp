// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <exception>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/stream_connection.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {

OwnedHandle connect_stream(const std::filesystem::path& path) noexcept {
  try {
    const sockaddr_un address = unix_address(path);
    OwnedHandle made = stream_socket();
    if (!made) return made;
    send_much_at_once(descriptor(made));
    const auto* const target = reinterpret_cast<const sockaddr*>(&address);
    if (uninterrupted([&] { return connect(descriptor(made), target, sizeof address); }) != 0) made.close();
    return made;
  } catch (const std::exception&) {
    return {};
  }
}

OwnedHandle same_stream(NativeHandle stream) noexcept {
  return OwnedHandle(fcntl(descriptor(stream), F_DUPFD_CLOEXEC, 0));
}

bool has_peer(NativeHandle stream) noexcept {
  pollfd asked{descriptor(stream), 0, 0};
  return uninterrupted([&] { return poll(&asked, 1, 0); }) == 0;
}

}  // namespace remotemedia::platform
