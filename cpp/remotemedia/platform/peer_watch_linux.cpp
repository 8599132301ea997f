// SPDX-License-Identifier: Apache-2.0

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/peer_watch.h"

namespace remotemedia::platform {
namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, since Linux 6.5

/// Of the process behind a socket, whatever has become of its number (before Linux 6.5: of who has that number now);
/// nothing, with errno, if the system refuses.
OwnedHandle pidfd_of_peer(int socket, std::int64_t process) noexcept {
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) == 0) return OwnedHandle(pidfd);
  if (errno != ENOPROTOOPT) return {};
  return OwnedHandle(syscall(SYS_pidfd_open, static_cast<pid_t>(process), 0));
}

}  // namespace

PeerWatch::PeerWatch(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

PeerWatch PeerWatch::of(const DescriptorChannel& channel) {
  const std::int64_t process = channel.peer().process;
  OwnedHandle pidfd = pidfd_of_peer(descriptor(channel.wait_handle()), process);
  const std::string name = "process " + std::to_string(process);
  if (!pidfd && (errno == ESRCH || errno == EINVAL || errno == ENODATA)) {
    throw Error(ErrorCode::worker_unavailable, name + " at the other end of a channel has ended");
  }
  if (!pidfd) throw_os_error("pidfd_open", "watch " + name);
  PeerWatch watch(std::move(pidfd));
  if (watch.wait(TimePoint::min())) {
    throw Error(ErrorCode::worker_unavailable, name + " at the other end of a channel has ended");
  }
  return watch;
}

bool PeerWatch::wait(TimePoint deadline) const { return wait_for_event(descriptor(handle_), POLLIN, deadline); }

}  // namespace remotemedia::platform
