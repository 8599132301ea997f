// SPDX-License-Identifier: Apache-2.0

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/owned_handle.h"
#include "remotemedia/platform/supervisor.h"

namespace remotemedia::platform {
namespace {

constexpr const char* kVariable = "NOTIFY_SOCKET";

std::string socket_name() {
  const char* const name = std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe)
  return name == nullptr ? "" : name;
}

}  // namespace

bool has_supervisor() noexcept {
  const char* const name = std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe)
  return name != nullptr && *name != '\0';
}

void notify_supervisor(const std::string& state) {
  const std::string name = socket_name();
  if (name.empty()) {
    throw Error(ErrorCode::platform_not_supported, "no supervisor listens: NOTIFY_SOCKET is not set");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() > sizeof address.sun_path - 1) {
    throw Error(ErrorCode::invalid_argument, "NOTIFY_SOCKET is longer than an address may be: '" + name + "'");
  }
  std::ranges::copy(name, address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const OwnedHandle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) throw OsError("socket", errno, "make a socket for the supervisor");
  const ssize_t sent = ::sendto(static_cast<int>(socket.get()), state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), length);
  if (sent < 0) throw OsError("sendto", errno, "tell the supervisor at '" + name + "'");
}

}  // namespace remotemedia::platform
