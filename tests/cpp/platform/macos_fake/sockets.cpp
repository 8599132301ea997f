// SPDX-License-Identifier: Apache-2.0
//
// What macOS refuses to local sockets, and what its options do (XNU, uipc_usrreq.c and uipc_socket.c).

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "platform/macos_fake/include/sys/ucred.h"
#include "platform/macos_fake/macos_fake.h"
#include "platform/macos_fake/socket_options.h"

extern "C" {
int __real_socket(int domain, int type, int protocol);
int __real_socketpair(int domain, int type, int protocol, int* ends);
int __real_setsockopt(int socket, int level, int option, const void* value, socklen_t size);
int __real_getsockopt(int socket, int level, int option, void* value, socklen_t* size);
ssize_t __real_sendmsg(int socket, const msghdr* message, int flags);
ssize_t __real_recvmsg(int socket, msghdr* message, int flags);
ssize_t __real_send(int socket, const void* bytes, size_t size, int flags);
int __real_fstat(int descriptor, struct stat* result);
}

namespace remotemedia::macos_fake {
namespace {

struct Options {
  bool no_sigpipe = false;
  int lowest_room = 1;
};

/// By inode, so that duplicates of a descriptor agree. Other processes do not see it: they set options of their own.
class OptionTable {
 public:
  template <class Change>
  auto with(int socket, Change change) {
    struct stat found {};
    __real_fstat(socket, &found);
    const std::lock_guard lock(mutex_);
    return change(options_[found.st_ino]);
  }

 private:
  std::mutex mutex_;
  std::map<ino_t, Options> options_;
};

OptionTable& table() {
  static auto* const one = new OptionTable;
  return *one;
}

int refuse(int error) {
  errno = error;
  return -1;
}

int number_of(int socket, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return __real_getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool is_local(int socket) { return number_of(socket, SO_DOMAIN) == AF_UNIX; }
bool is_local_datagram(int socket) { return is_local(socket) && number_of(socket, SO_TYPE) == SOCK_DGRAM; }

/// Was connected, and both directions have ended, as they do when either side closes.
bool is_shut(int socket) {
  pollfd entry{.fd = socket, .events = 0, .revents = 0};
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

bool is_a_kind(int domain, int type) { return domain != AF_UNIX || type == SOCK_STREAM || type == SOCK_DGRAM; }

/// Whether the queue takes none of a message now, which is if not all of it fits and no more than the lowest room.
bool must_wait(int socket, std::size_t bytes) {
  int used = 0;
  if (ioctl(socket, SIOCOUTQ, &used) != 0) return false;
  const int room = number_of(socket, SO_SNDBUF) - used;
  const int needed = static_cast<int>(bytes + bytes / 8 + 4096);  // with what Linux counts beside the bytes
  const int lowest = table().with(socket, [](const Options& options) { return options.lowest_room; });
  return room < needed && room < lowest + lowest / 8 + 4096;
}

std::size_t bytes_of(const msghdr& message) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) sum += message.msg_iov[i].iov_len;
  return sum;
}

/// A send waits unless the socket never does; MSG_DONTWAIT says nothing to it.
int flags_of_send(int socket, int flags) {
  const bool quiet = table().with(socket, [](const Options& options) { return options.no_sigpipe; });
  return (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) | (quiet ? MSG_NOSIGNAL : 0);
}

void close_all(const msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
      int one = -1;
      std::memcpy(&one, reinterpret_cast<char*>(part) + at, sizeof one);
      close(one);
    }
  }
}

}  // namespace
}  // namespace remotemedia::macos_fake

using namespace remotemedia::macos_fake;

extern "C" {

int __wrap_socket(int domain, int type, int protocol) {
  return is_a_kind(domain, type) ? __real_socket(domain, type, protocol) : refuse(EPROTONOSUPPORT);
}

int __wrap_socketpair(int domain, int type, int protocol, int* ends) {
  return is_a_kind(domain, type) ? __real_socketpair(domain, type, protocol, ends) : refuse(EPROTONOSUPPORT);
}

int __wrap_setsockopt(int socket, int level, int option, const void* value, socklen_t size) {
  if (level != SOL_SOCKET || !is_local(socket)) return __real_setsockopt(socket, level, option, value, size);
  if (is_shut(socket)) return refuse(EINVAL);
  if (option != SO_NOSIGPIPE && option != SO_SNDLOWAT) return __real_setsockopt(socket, level, option, value, size);
  int number = 0;
  if (size != sizeof number) return refuse(EINVAL);
  std::memcpy(&number, value, sizeof number);
  table().with(socket, [&](Options& options) {
    if (option == SO_NOSIGPIPE) options.no_sigpipe = number != 0;
    if (option == SO_SNDLOWAT) options.lowest_room = std::min(number, number_of(socket, SO_SNDBUF));
  });
  return 0;
}

int __wrap_getsockopt(int socket, int level, int option, void* value, socklen_t* size) {
  if (!is_local(socket)) return __real_getsockopt(socket, level, option, value, size);
  if (level == SOL_SOCKET && option == SO_NOSIGPIPE) {
    const int number = table().with(socket, [](const Options& options) { return options.no_sigpipe ? 1 : 0; });
    std::memcpy(value, &number, sizeof number);
    return 0;
  }
  if (level != SOL_LOCAL) return __real_getsockopt(socket, level, option, value, size);
  ucred found{};
  socklen_t found_size = sizeof found;
  if (__real_getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &found_size) != 0) return -1;
  if (option == LOCAL_PEERPID) {
    if (is_shut(socket)) return refuse(ENOTCONN);  // there is no other end to ask
    std::memcpy(value, &found.pid, sizeof found.pid);
    return 0;
  }
  if (option != LOCAL_PEERCRED) return refuse(EOPNOTSUPP);
  if (found.pid == 0) return refuse(ENOTCONN);
  xucred credentials{};
  credentials.cr_version = XUCRED_VERSION;
  credentials.cr_uid = found.uid;
  credentials.cr_ngroups = 1;
  credentials.cr_groups[0] = found.gid;
  std::memcpy(value, &credentials, sizeof credentials);
  return 0;
}

ssize_t __wrap_sendmsg(int socket, const msghdr* message, int flags) {
  about_to_call("sendmsg");
  if (!is_local(socket)) return __real_sendmsg(socket, message, flags);
  if (message->msg_controllen > 0) {
    // There is one part of control data, and nothing behind it.
    const cmsghdr* const part = CMSG_FIRSTHDR(message);
    if (part == nullptr || part->cmsg_len != message->msg_controllen) return refuse(EINVAL);
  }
  const bool never_waits = (fcntl(socket, F_GETFL) & O_NONBLOCK) != 0;
  if (never_waits && !is_local_datagram(socket) && !is_shut(socket) && must_wait(socket, bytes_of(*message))) {
    return refuse(message->msg_controllen > 0 ? EMSGSIZE : EAGAIN);
  }
  return __real_sendmsg(socket, message, flags_of_send(socket, flags));
}

/// A datagram finds room at once or never.
ssize_t __wrap_send(int socket, const void* bytes, size_t size, int flags) {
  if (!is_local(socket)) return __real_send(socket, bytes, size, flags);
  const bool datagram = is_local_datagram(socket);
  const ssize_t sent = __real_send(socket, bytes, size, flags_of_send(socket, flags) | (datagram ? MSG_DONTWAIT : 0));
  return sent == -1 && datagram && errno == EAGAIN ? refuse(ENOBUFS) : sent;
}

/// Descriptors come all or not at all, and are inherited. What does not fit into the buffer for them stays open.
ssize_t __wrap_recvmsg(int socket, msghdr* message, int flags) {
  if (!is_local(socket)) return __real_recvmsg(socket, message, flags);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(253 * sizeof(int))> control;
  msghdr whole = *message;
  whole.msg_control = control.data();
  whole.msg_controllen = control.size();
  const ssize_t size = __real_recvmsg(socket, &whole, flags & ~MSG_CMSG_CLOEXEC);
  if (size == -1) return size;
  if ((whole.msg_flags & MSG_CTRUNC) != 0) {
    close_all(whole);
    return refuse(EMSGSIZE);
  }
  const std::size_t room = message->msg_control == nullptr ? 0 : message->msg_controllen;
  const std::size_t kept = std::min<std::size_t>(room, whole.msg_controllen);
  if (kept > 0) std::memcpy(message->msg_control, control.data(), kept);
  message->msg_flags = whole.msg_flags;
  if (kept < whole.msg_controllen) {
    message->msg_flags |= MSG_CTRUNC;
    if (kept >= sizeof(cmsghdr)) reinterpret_cast<cmsghdr*>(message->msg_control)->cmsg_len = kept;
  }
  message->msg_controllen = kept;
  return size;
}
}
