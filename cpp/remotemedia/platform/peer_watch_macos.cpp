// SPDX-License-Identifier: Apache-2.0
//
// A kernel queue that holds one event, the end of the process. It is only polled and never read, so the event stays.
// This system closes such a queue in a forked child.

#include <poll.h>
#include <sys/event.h>

#include <cerrno>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/descriptor_channel_macos.h"
#include "remotemedia/platform/peer_watch.h"

namespace remotemedia::platform {
namespace {

Error has_ended(std::int64_t process) {
  return {ErrorCode::worker_unavailable,
          "process " + std::to_string(process) + " at the other end of a channel has ended"};
}

}  // namespace

PeerWatch::PeerWatch(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

PeerWatch PeerWatch::of(const DescriptorChannel& channel) {
  const std::int64_t process = channel.impl_->peer.process;
  const std::int64_t started = channel.impl_->peer_started;
  if (started == 0) throw has_ended(process);
  OwnedHandle queue(kqueue());
  if (!queue) throw_os_error("kqueue", "watch a process");
  struct kevent end {};
  EV_SET(&end, static_cast<uintptr_t>(process), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  if (uninterrupted([&] { return kevent(descriptor(queue), &end, 1, nullptr, 0, nullptr); }) != 0) {
    if (errno == ESRCH) throw has_ended(process);
    throw_os_error("kevent", "watch process " + std::to_string(process));
  }
  if (started_at(process) != started) throw has_ended(process);  // a later one of the same number
  return PeerWatch(std::move(queue));
}

bool PeerWatch::wait(TimePoint deadline) const { return wait_for_event(descriptor(handle_), POLLIN, deadline); }

}  // namespace remotemedia::platform
