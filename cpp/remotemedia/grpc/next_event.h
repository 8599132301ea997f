// SPDX-License-Identifier: Apache-2.0
//
// Looks at a queue of gRPC before it sleeps there. Between two processes that answer each other in microseconds most of
// the time goes into sleeping and being woken, and whoever wakes the other side pays for it as well.

#pragma once

#include <grpcpp/completion_queue.h>

#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// Before all that is to come. An alarm of now is told by gRPC's timers a millisecond later, one of this time at once.
inline constexpr std::chrono::system_clock::time_point kLongAgo{};

/// Whether something has come by the deadline. A deadline that has passed: whether it is there.
///
/// looks_until:  it does not sleep before, and lets others have the CPU.
bool next_event(grpc::CompletionQueue& queue, TimePoint looks_until, TimePoint deadline, void*& tag, bool& ok);

}  // namespace remotemedia::detail
