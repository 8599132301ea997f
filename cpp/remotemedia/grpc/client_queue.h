// SPDX-License-Identifier: Apache-2.0
//
// Where answers to this process's calls over gRPC come: to a thread that is there for all, and to those who wait for
// one call and nothing else.

#pragma once

#include <grpcpp/completion_queue.h>

#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// Of this process, from the first use to its end. While nobody has Prompt and callers wait at queues of their own, its
/// thread stays away from gRPC, which has one thread of a process look for all others; what comes then is told some
/// milliseconds later.
grpc::CompletionQueue& client_queue();

/// What is under way at client_queue() is told as soon as it comes, as long as there is one.
///
/// Threads:  any.
class Prompt {
 public:
  Prompt();
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;
  ~Prompt();
};

/// Around each time that a caller waits at a queue of its own.
class CallerWaits {
 public:
  CallerWaits();
  CallerWaits(const CallerWaits&) = delete;
  CallerWaits& operator=(const CallerWaits&) = delete;
  ~CallerWaits();
};

/// As gRPC counts time.
std::chrono::system_clock::time_point system_time_of(TimePoint time);

/// Whether this thread is that of client_queue(), which must not wait for calls.
bool is_client_queue_thread() noexcept;

}  // namespace remotemedia::detail
