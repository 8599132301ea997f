// SPDX-License-Identifier: Apache-2.0

#include <poll.h>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::platform {

std::vector<std::size_t> wait_for_any(std::span<const NativeHandle> handles, TimePoint deadline) {
  std::vector<pollfd> entries;
  entries.reserve(handles.size());
  for (const NativeHandle handle : handles) {
    if (handle == kNoHandle) throw Error(ErrorCode::invalid_argument, "cannot wait for a handle that names nothing");
    entries.push_back({.fd = descriptor(handle), .events = POLLIN, .revents = 0});
  }
  std::vector<std::size_t> ready;
  for (;;) {
    const int count = poll(entries.data(), static_cast<nfds_t>(entries.size()), poll_timeout(deadline));
    if (count == -1 && errno != EINTR)
      throw_os_error("poll", "wait for " + std::to_string(handles.size()) + " handles");
    for (std::size_t i = 0; count > 0 && i < entries.size(); ++i) {
      if ((entries[i].revents & POLLNVAL) != 0) throw OsError("poll", EBADF, "wait for a handle that is closed");
      if (entries[i].revents != 0) ready.push_back(i);
    }
    if (!ready.empty() || (deadline != TimePoint::max() && monotonic_clock().now() >= deadline)) return ready;
  }
}

}  // namespace remotemedia::platform
