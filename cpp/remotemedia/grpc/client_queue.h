// SPDX-License-Identifier: Apache-2.0
//
// The threads on which answers to this process's calls over gRPC come.

#pragma once

#include <grpcpp/completion_queue.h>

#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// Of this process, from the first use to its end.
grpc::CompletionQueue& client_queue();

/// As gRPC counts time.
std::chrono::system_clock::time_point system_time_of(TimePoint time);

/// Whether this thread is one of them, which must not wait for calls.
bool is_client_queue_thread() noexcept;

}  // namespace remotemedia::detail
