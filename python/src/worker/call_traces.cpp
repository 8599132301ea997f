// SPDX-License-Identifier: Apache-2.0

#include "call_traces.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../bindings.h"
#include "../errors.h"
#include "../gil.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

/// That wait to be taken; beyond, they are dropped, which the log is told.
constexpr std::size_t kMostWaiting = 4096;

Duration to_system_time() {
  return std::chrono::system_clock::now().time_since_epoch() - monotonic_clock().now().time_since_epoch();
}

template <auto At>
std::int64_t time_of(const TracedCall& call) {
  return ((call.trace.*At).time_since_epoch() + call.to_system_time).count();
}

template <auto At>
std::optional<std::int64_t> time_if_any(const TracedCall& call) {
  const std::optional<TimePoint>& at = call.trace.*At;
  return at ? std::optional((at->time_since_epoch() + call.to_system_time).count()) : std::nullopt;
}

nb::object error_of(const TracedCall& call) {
  return call.trace.error == nullptr ? nb::none() : exception_object(call.trace.error);
}

std::string outcome_of(const TracedCall& call) {
  if (call.trace.error == nullptr) return "answered";
  try {
    std::rethrow_exception(call.trace.error);
  } catch (const Error& error) {
    return std::string(to_string(error.code()));
  } catch (...) {
    return std::string(to_string(ErrorCode::inference_failed));
  }
}

nb::object headers_of(const TraceContext& context) {
  nb::dict headers;
  headers["traceparent"] = context.traceparent;
  if (!context.tracestate.empty()) headers["tracestate"] = context.tracestate;
  return headers;
}

nb::object ran_with(const TracedCall& call) {
  nb::list all;
  for (const auto& context : call.trace.ran_with) all.append(headers_of(*context));
  return all;
}

nb::object take(CallTraces& traces) {
  std::vector<TracedCall> calls;
  {
    const NoGil others_go_on;
    calls = traces.take();
  }
  nb::list list;
  for (TracedCall& call : calls) list.append(nb::cast(std::move(call)));
  return list;
}

}  // namespace

std::shared_ptr<CallTraces> CallTraces::of(WorkerConfig& config) {
  struct Sink {
    explicit Sink(std::shared_ptr<CallTraces> to) noexcept : traces(std::move(to)) {}
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() { traces->close(); }
    std::shared_ptr<CallTraces> traces;
  };
  auto traces = std::make_shared<CallTraces>();
  config.on_call_traced = [sink = std::make_shared<Sink>(traces)](const CallTrace& trace) { sink->traces->add(trace); };
  return traces;
}

void CallTraces::add(const CallTrace& trace) noexcept {
  MutexLock lock(mutex_);
  try {
    if (waiting_.size() < kMostWaiting) {
      waiting_.push_back({trace, to_system_time()});
    } else {
      ++dropped_;
    }
  } catch (const std::exception&) {  // no memory
    ++dropped_;
  }
  changed_.notify_all();
}

std::vector<TracedCall> CallTraces::take() {
  std::vector<TracedCall> taken;
  std::size_t dropped = 0;
  {
    MutexLock lock(mutex_);
    while (waiting_.empty() && !closed_) changed_.wait(mutex_);
    taken.swap(waiting_);
    dropped = std::exchange(dropped_, 0);
  }
  if (dropped > 0) {
    log(LogLevel::warning, std::to_string(dropped) + " calls have no spans: more came than were recorded meanwhile");
  }
  return taken;
}

void CallTraces::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void bind_call_traces(nb::module_& m) {
  nb::class_<TracedCall>(m, "TracedCall", "What became of a call; times are nanoseconds since 1970.")
      .def_prop_ro(
          "headers", [](const TracedCall& call) { return headers_of(*call.trace.context); }, "Of the caller's span.",
          nb::sig("def headers(self) -> dict[str, str]"))
      .def_prop_ro("ran_with", &ran_with, "Likewise of the other calls of its batch.",
                   nb::sig("def ran_with(self) -> list[dict[str, str]]"))
      .def_prop_ro("model_id", [](const TracedCall& call) { return call.trace.model_id; })
      .def_prop_ro("request_id", [](const TracedCall& call) { return std::to_string(call.trace.request_id); })
      .def_prop_ro("transport", [](const TracedCall& call) { return std::string(call.trace.transport); })
      .def_prop_ro("stream", [](const TracedCall& call) { return call.trace.stream; })
      .def_prop_ro("rows", [](const TracedCall& call) { return call.trace.rows; })
      .def_prop_ro("batch_rows", [](const TracedCall& call) { return call.trace.batch_rows; })
      .def_prop_ro("accepted_at", &time_of<&CallTrace::accepted_at>)
      .def_prop_ro("began_at", &time_if_any<&CallTrace::began_at>)
      .def_prop_ro("ran_from", &time_if_any<&CallTrace::ran_from>)
      .def_prop_ro("ran_to", &time_if_any<&CallTrace::ran_to>)
      .def_prop_ro("answered_at", &time_of<&CallTrace::answered_at>)
      .def_prop_ro("given_at", &time_of<&CallTrace::given_at>)
      .def_prop_ro("outcome", &outcome_of)
      .def_prop_ro("error", &error_of, nb::sig("def error(self) -> Exception | None"));

  nb::class_<CallTraces>(m, "CallTraces", "The calls of a worker that came with a sampled traceparent.")
      .def_static("of", &CallTraces::of, "config"_a)
      .def("take", &take, "Waits for some; an empty list at the end.", nb::sig("def take(self) -> list[TracedCall]"))
      .def("close", &CallTraces::close);
}

}  // namespace remotemedia::python
