// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/next_event.h"

#include <algorithm>
#include <thread>

#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/worker/spin_time.h"

namespace remotemedia::detail {

bool next_event(grpc::CompletionQueue& queue, TimePoint looks_until, TimePoint deadline, void*& tag, bool& ok) {
  using enum grpc::CompletionQueue::NextStatus;
  const TimePoint began = monotonic_clock().now();
  TimePoint now = began;
  for (const TimePoint until = std::min(looks_until, deadline); now < until; now = monotonic_clock().now()) {
    switch (queue.AsyncNext(&tag, &ok, kLongAgo)) {
      case GOT_EVENT:
        return true;
      case SHUTDOWN:
        return false;
      case TIMEOUT:
        break;
    }
    if (now - began >= kEagerTime) std::this_thread::yield();
  }
  if (deadline == TimePoint::max()) return queue.Next(&tag, &ok);
  return queue.AsyncNext(&tag, &ok, now < deadline ? system_time_of(deadline) : kLongAgo) == GOT_EVENT;
}

}  // namespace remotemedia::detail
