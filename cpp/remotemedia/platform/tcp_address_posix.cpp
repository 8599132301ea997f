// SPDX-License-Identifier: Apache-2.0

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/owned_handle.h"
#include "remotemedia/platform/tcp_address.h"

namespace remotemedia::platform {

int tcp_bind_error(const std::string& host, const std::string& port) noexcept {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return EADDRNOTAVAIL;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> address(found, &freeaddrinfo);
  const OwnedHandle probe(socket(address->ai_family, SOCK_STREAM, 0));
  if (!probe) return errno;
  const int reuse = 1;
  setsockopt(descriptor(probe), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  return bind(descriptor(probe), address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
}

}  // namespace remotemedia::platform
