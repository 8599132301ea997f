// SPDX-License-Identifier: Apache-2.0
//
// CallTrace: what became of one call, for whoever records spans.

#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/worker/trace_context.h"

namespace remotemedia {

/// Of a call that was accepted, and has its last answer. Times are of the worker's clock, in this order.
struct CallTrace {
  std::shared_ptr<const TraceContext> context;  ///< The caller's.
  std::string model_id;
  std::uint64_t request_id = 0;  ///< As RequestInfo has it.
  std::string_view transport;    ///< "shared_memory", "grpc" or "http"; empty for none of these.
  bool stream = false;
  std::int64_t rows = 1;

  TimePoint accepted_at;
  std::optional<TimePoint> began_at;  ///< When it left the queue to run; none: it never did.
  std::optional<TimePoint> ran_from;  ///< When the model got it, after it was put together with the others,
  std::optional<TimePoint> ran_to;    ///< and gave it back; none: it ended before.
  TimePoint answered_at;              ///< When it had ended, however,
  TimePoint given_at;                 ///< and its last answer was with what carries it.

  std::int64_t batch_rows = 0;                                  ///< Of the model's run.
  std::vector<std::shared_ptr<const TraceContext>> ran_with{};  ///< Other calls of that run, those that have one.
  std::exception_ptr error;                                     ///< None: it was answered.
};

}  // namespace remotemedia
