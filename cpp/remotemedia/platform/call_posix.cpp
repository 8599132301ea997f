// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/call_posix.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {

void throw_os_error(std::string_view call, const std::string& what) { throw OsError(call, errno, what); }

OwnedHandle duplicate_descriptor(NativeHandle handle) {
  const int copy = fcntl(descriptor(handle), F_DUPFD_CLOEXEC, 0);
  if (copy == -1) throw_os_error("fcntl", "duplicate a descriptor");
  return OwnedHandle(copy);
}

OwnedHandle spare_descriptor() noexcept {
  return OwnedHandle(uninterrupted([] { return open("/dev/null", O_RDONLY | O_CLOEXEC); }));
}

int poll_timeout(TimePoint deadline) noexcept {
  if (deadline == TimePoint::max()) return -1;
  const Duration left = deadline - std::min(deadline, monotonic_clock().now());
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(milliseconds, std::numeric_limits<int>::max()));
}

bool wait_for_event(int descriptor, short events, TimePoint deadline) {
  for (;;) {
    pollfd entry{.fd = descriptor, .events = events, .revents = 0};
    const int ready = poll(&entry, 1, poll_timeout(deadline));
    if (ready > 0) return true;
    if (ready == -1 && errno != EINTR) throw_os_error("poll", "wait for a descriptor");
    if (deadline != TimePoint::max() && monotonic_clock().now() >= deadline) return false;
  }
}

}  // namespace remotemedia::platform
