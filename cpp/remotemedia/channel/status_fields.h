// SPDX-License-Identifier: Apache-2.0
//
// The fields of status_messages.h, in their order.

#pragma once

#include <cstddef>
#include <cstdint>

#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_fields.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/status_messages.h"

namespace remotemedia::detail {

static_assert(sizeof(std::size_t) == sizeof(std::uint64_t), "counts of a worker travel as they are");

template <class Io, AnyConst<AskStatusMessage> M>
void fields(Io& /*io*/, M& /*message*/) {}

template <class Io, AnyConst<StatusMessage> M>
void fields(Io& io, M& message) {
  auto& info = message.info;
  io.text("worker_id", info.worker_id, 0, kMaxNameBytes);
  io.text("model_id", info.model_id, 0, kMaxNameBytes);
  io.code("status", info.status, kWorkerStateCodes);
  io.free_text("reason", info.reason);
  io.number("current_load", info.current_load);
  io.number("queue_depth", info.queue_depth);
  io.number("max_batch_size", info.max_batch_size, std::int64_t{0});
  io.number("total_requests", info.total_requests);
  io.number("failed_requests", info.failed_requests);
  io.number("cancelled_requests", info.cancelled_requests);
  io.number("expired_requests", info.expired_requests);
  io.number("rejected_requests", info.rejected_requests);
  io.real("average_batch_size", info.average_batch_size);
  io.real("average_latency_ms", info.average_latency_ms);
  io.real("p50_latency_ms", info.p50_latency_ms);
  io.real("p99_latency_ms", info.p99_latency_ms);
  io.number("sessions", info.sessions);
  io.number("shared_memory_bytes", info.shared_memory_bytes);
  io.real("uptime_seconds", info.uptime_seconds);
  io.number("pid", info.pid);
}

template <class Io, AnyConst<AskHealthMessage> M>
void fields(Io& /*io*/, M& /*message*/) {}

template <class Io, AnyConst<HealthMessage> M>
void fields(Io& io, M& message) {
  io.flag("healthy", message.healthy);
  io.free_text("reason", message.reason);
}

}  // namespace remotemedia::detail
