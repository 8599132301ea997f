// SPDX-License-Identifier: Apache-2.0
//
// A request and a response of HTTP, without its wire.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

struct HttpRequest {
  std::string method;
  std::string path;   ///< As it came, without the query.
  std::string query;  ///< Behind the '?'.
  std::string authorization;
  std::string content_encoding;
  std::string traceparent;  ///< Of several lines, and that is none, a list.
  std::string tracestate;
  std::string json_bytes;  ///< Of the body, where binary elements follow; empty: all.
  std::string_view body = {};
  std::shared_ptr<const void> body_owner = nullptr;
};

/// Its body is `text`, and behind it the elements of each tensor, which are contiguous.
struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string text;
  std::vector<TensorBuffer> elements = {};
  std::optional<unsigned> retry_after_seconds = std::nullopt;
};

/// Makes a response, on a thread of the server.
using MakeResponse = std::function<HttpResponse()>;

/// Answers a request, once, from any thread. Must not throw.
using Respond = std::function<void(MakeResponse)>;

/// An answer to come.
class PendingResponse {
 public:
  PendingResponse() = default;
  PendingResponse(const PendingResponse&) = delete;
  PendingResponse& operator=(const PendingResponse&) = delete;
  virtual ~PendingResponse() = default;

  /// Nobody waits for it any more.
  virtual void cancel() noexcept = 0;
};

}  // namespace remotemedia::detail
