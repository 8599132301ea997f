// SPDX-License-Identifier: Apache-2.0
//
// CallOrigin: what is known of a call beside its message.

#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/grpc/callers.h"
#include "remotemedia/worker/trace_context.h"

namespace remotemedia::detail {

/// What an attached client's calls bring beside the message.
inline constexpr const char* kAttachmentKey = "remotemedia-attachment-bin";
inline constexpr const char* kSessionKey = "remotemedia-session-bin";
inline constexpr const char* kPriorityKey = "remotemedia-priority";

/// What any call may bring, as W3C's Trace Context names it.
inline constexpr const char* kTraceparentKey = "traceparent";
inline constexpr const char* kTracestateKey = "tracestate";

struct CallOrigin {
  TimePoint deadline;  ///< Of the whole RPC.

  std::string peer = {};                       ///< Of a stranger, whose parameters say the rest.
  std::shared_ptr<Caller> attached = nullptr;  ///< None: a stranger.
  std::optional<std::string> session = std::nullopt;
  int priority = 0;
  std::shared_ptr<const TraceContext> trace = nullptr;
};

/// Errors:  those of Callers::of_attachment; invalid_argument for a priority that is no number.
CallOrigin call_origin(const grpc::ServerContextBase& context, Callers& callers);

}  // namespace remotemedia::detail
