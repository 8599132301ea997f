// SPDX-License-Identifier: Apache-2.0
//
// What a worker is told, and what it tells about itself.

#include "remotemedia/worker/worker_info.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "../bindings.h"
#include "../seconds.h"
#include "remotemedia/worker/worker_config.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

// What remotemedia/worker/worker_config.py has checked.
WorkerConfig make_config(std::int64_t max_batch_size, std::int64_t batch_delay_us, std::size_t instances,
                         std::size_t max_queue, std::size_t max_concurrent_requests, std::size_t concurrent_streams,
                         std::size_t stream_window, double watchdog_seconds, double session_idle_seconds,
                         std::optional<std::size_t> memory_quota_bytes, std::size_t max_connections,
                         std::optional<double> output_lease_seconds, std::int64_t spin_us, double drain_timeout_seconds,
                         const WireAccess& access) {
  WorkerConfig config;
  config.max_batch_size = max_batch_size;
  config.batch_delay = std::chrono::microseconds{batch_delay_us};
  config.instances = instances;
  config.max_queue = max_queue;
  config.max_concurrent_requests = max_concurrent_requests;
  config.concurrent_streams = concurrent_streams;
  config.stream_window = stream_window;
  config.watchdog = duration_of("watchdog_seconds", watchdog_seconds);
  config.session_idle = duration_of("session_idle_seconds", session_idle_seconds);
  config.memory_quota_bytes = memory_quota_bytes;
  config.max_connections = max_connections;
  if (output_lease_seconds) config.output_lease = duration_of("output_lease_seconds", *output_lease_seconds);
  config.spin = std::chrono::microseconds{spin_us};
  config.drain_timeout = duration_of("drain_timeout_seconds", drain_timeout_seconds);
  config.access = access;
  return config;
}

WireAccess make_access(const TlsConfig* tls, const std::string& token, bool insecure, bool allow_client_shared_memory) {
  WireAccess access{.token = token, .insecure = insecure, .allow_client_shared_memory = allow_client_shared_memory};
  if (tls != nullptr) access.tls = *tls;
  return access;
}

}  // namespace

void bind_worker_info(nb::module_& m) {
  nb::class_<WorkerConfig>(m, "WorkerConfig", "How a worker runs its model.");
  m.def("make_worker_config", &make_config, nb::kw_only(), "max_batch_size"_a, "batch_delay_us"_a, "instances"_a,
        "max_queue"_a, "max_concurrent_requests"_a, "concurrent_streams"_a, "stream_window"_a, "watchdog_seconds"_a,
        "session_idle_seconds"_a, "memory_quota_bytes"_a.none(), "max_connections"_a, "output_lease_seconds"_a.none(),
        "spin_us"_a, "drain_timeout_seconds"_a, "access"_a);
  nb::class_<TlsConfig>(m, "TlsFiles", "See remotemedia.TlsConfig; empty is none.")
      .def(
          "__init__",
          [](TlsConfig* self, std::string certificate, std::string key, std::string ca) {
            new (self) TlsConfig{std::move(certificate), std::move(key), std::move(ca)};
          },
          "certificate"_a, "key"_a, "ca"_a);
  nb::class_<WireAccess>(m, "WireAccess", "Who may call a worker at the endpoints of the wire.");
  m.def("make_wire_access", &make_access, nb::kw_only(), "tls"_a.none(), "token"_a, "insecure"_a,
        "allow_client_shared_memory"_a);

  nb::class_<WorkerInfo>(m, "WorkerInfo", "A worker at one moment, as it tells itself.")
      .def_ro("worker_id", &WorkerInfo::worker_id)
      .def_ro("model_id", &WorkerInfo::model_id)
      .def_prop_ro(
          "status", [](const WorkerInfo& info) { return std::string(to_string(info.status)); },
          "\"busy\": every instance runs.",
          nb::sig("def status(self) -> typing.Literal['starting', 'ready', 'busy', 'stopping', 'terminated']"))
      .def_ro("reason", &WorkerInfo::reason, "Why it is not healthy; empty when it is.")
      .def_ro("current_load", &WorkerInfo::current_load, "Requests that run now.")
      .def_ro("queue_depth", &WorkerInfo::queue_depth, "Requests that wait.")
      .def_ro("max_batch_size", &WorkerInfo::max_batch_size, "Rows of one call; 0: the model does not batch.")
      .def_ro("total_requests", &WorkerInfo::total_requests, "Accepted and ended, however.")
      .def_ro("failed_requests", &WorkerInfo::failed_requests)
      .def_ro("cancelled_requests", &WorkerInfo::cancelled_requests)
      .def_ro("expired_requests", &WorkerInfo::expired_requests)
      .def_ro("rejected_requests", &WorkerInfo::rejected_requests, "Never accepted.")
      .def_ro("average_batch_size", &WorkerInfo::average_batch_size, "Rows for each run of the model.")
      .def_ro("average_latency_ms", &WorkerInfo::average_latency_ms, "From acceptance to answer.")
      .def_ro("p50_latency_ms", &WorkerInfo::p50_latency_ms)
      .def_ro("p99_latency_ms", &WorkerInfo::p99_latency_ms)
      .def_ro("sessions", &WorkerInfo::sessions)
      .def_ro("shared_memory_bytes", &WorkerInfo::shared_memory_bytes)
      .def_ro("uptime_seconds", &WorkerInfo::uptime_seconds)
      .def_ro("pid", &WorkerInfo::pid)
      .def("__repr__", [](const WorkerInfo& info) {
        return "WorkerInfo(model_id='" + info.model_id + "', status='" + std::string(to_string(info.status)) +
               "', current_load=" + std::to_string(info.current_load) +
               ", queue_depth=" + std::to_string(info.queue_depth) + ")";
      });
}

}  // namespace remotemedia::python
