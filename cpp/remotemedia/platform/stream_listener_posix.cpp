// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <utility>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/stream_listener.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

constexpr int kQueue = 1024;

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&bytes); }
};

void set_option(int socket, int level, int option, int value) noexcept {
  setsockopt(socket, level, option, &value, sizeof value);  // without it, it is slower or gets an address later
}

/// Of a socket that programs this one starts do not inherit, and that nobody waits for.
void set_flags(int socket, const std::string& what) {
  if (fcntl(socket, F_SETFD, FD_CLOEXEC) == -1 || fcntl(socket, F_SETFL, O_NONBLOCK) == -1) {
    throw_os_error("fcntl", what);
  }
}

OwnedHandle listening(int family, const sockaddr* address, socklen_t size, const std::string& what) {
  OwnedHandle made(socket(family, SOCK_STREAM, 0));
  if (!made) throw_os_error("socket", what);
  set_flags(descriptor(made), what);
  if (family != AF_UNIX) set_option(descriptor(made), SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(descriptor(made), address, size) != 0) throw_os_error("bind", what);
  if (listen(descriptor(made), kQueue) != 0) throw_os_error("listen", what);
  return made;
}

std::vector<Address> addresses_of(const std::string& host, const std::string& port, const std::string& what) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) throw OsError("bind", EADDRNOTAVAIL, what);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    Address& address = addresses.emplace_back();
    address.size = one->ai_addrlen;
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(&address.bytes));
  }
  return addresses;
}

in_port_t& port_of(Address& address) noexcept {
  return address.bytes.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address.bytes).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address.bytes).sin_port;
}

}  // namespace

StreamListener StreamListener::at_port(const std::string& host, const std::string& port) {
  const std::string what = "listen at " + host + " port " + port;
  StreamListener listener;
  listener.spare_ = spare_descriptor();
  int refused = EADDRNOTAVAIL;
  for (Address address : addresses_of(host, port, what)) {
    if (listener.port_ != 0) port_of(address) = htons(static_cast<in_port_t>(listener.port_));
    try {
      OwnedHandle made = listening(address.bytes.ss_family, address.get(), address.size, what);
      address.size = sizeof address.bytes;
      if (getsockname(descriptor(made), address.get(), &address.size) != 0) throw_os_error("getsockname", what);
      listener.port_ = ntohs(port_of(address));
      listener.sockets_.push_back(std::move(made));
    } catch (const OsError& error) {
      refused = error.number();
    }
  }
  if (listener.sockets_.empty()) throw OsError("bind", refused, what);
  return listener;
}

StreamListener StreamListener::at_path(const std::filesystem::path& path) {
  const sockaddr_un address = unix_address(path);
  StreamListener listener;
  listener.spare_ = spare_descriptor();
  listener.sockets_.push_back(
      listening(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, "listen at " + path.string()));
  return listener;
}

OwnedHandle StreamListener::accept(const OwnedHandle& socket) {
  const std::string what = "accept a caller";
  if (!spare_) spare_ = spare_descriptor();
  OwnedHandle caller = accept_socket(descriptor(socket));
  if (!caller) {
    const int refused = errno;
    if (refused == EMFILE || refused == ENFILE) {
      turn_away_caller(descriptor(socket), spare_);
      throw OsError("accept", refused, what + ", who is turned away");
    }
    if (refused == ENOBUFS || refused == ENOMEM) throw OsError("accept", refused, what);
    return caller;  // gone again
  }
  set_flags(descriptor(caller), what);
  if (port_ == 0) {
    send_much_at_once(descriptor(caller));
  } else {
    set_option(descriptor(caller), IPPROTO_TCP, TCP_NODELAY, 1);
  }
  return caller;
}

std::uint64_t connection_id(NativeHandle handle) noexcept {
  struct stat found {};
  if (fstat(descriptor(handle), &found) != 0 || !S_ISSOCK(found.st_mode)) return 0;
  return static_cast<std::uint64_t>(found.st_ino);
}

std::size_t most_handles() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<std::size_t>::max();
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace remotemedia::platform
