// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/call_origin.h"

#include <charconv>
#include <chrono>
#include <string_view>
#include <system_error>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

std::optional<std::string_view> metadata_of(const grpc::ServerContextBase& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return std::nullopt;
  return std::string_view(found->second.data(), found->second.size());
}

int number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  throw Error(ErrorCode::invalid_argument, std::string(kPriorityKey) + " is no number");
}

/// A list may come in several pieces; a traceparent that does is none.
std::shared_ptr<const TraceContext> trace_of(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  if (metadata.count(kTraceparentKey) != 1) return nullptr;
  std::string tracestate;
  const auto [first, last] = metadata.equal_range(kTracestateKey);
  for (auto piece = first; piece != last; ++piece) {
    if (!tracestate.empty()) tracestate += ',';
    tracestate.append(piece->second.data(), piece->second.size());
  }
  return trace_context(*metadata_of(context, kTraceparentKey), tracestate);
}

TimePoint deadline_of(const grpc::ServerContextBase& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours{24 * 365}) return TimePoint::max();
  return later(monotonic_clock().now(), std::chrono::duration_cast<Duration>(left));
}

}  // namespace

CallOrigin call_origin(const grpc::ServerContextBase& context, Callers& callers) {
  CallOrigin origin{.deadline = deadline_of(context)};
  origin.trace = trace_of(context);
  const std::optional<std::string_view> token = metadata_of(context, kAttachmentKey);
  if (!token) {
    origin.peer = context.peer();
    return origin;
  }
  origin.attached = callers.of_attachment(*token);
  if (const auto session = metadata_of(context, kSessionKey)) origin.session = std::string(*session);
  if (const auto priority = metadata_of(context, kPriorityKey)) origin.priority = number_of(*priority);
  return origin;
}

}  // namespace remotemedia::detail
