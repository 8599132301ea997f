// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_config.h"

#include <string>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

void require(bool makes_sense, const char* what) {
  if (!makes_sense) throw Error(ErrorCode::invalid_argument, std::string("WorkerConfig: ") + what);
}

}  // namespace

void check_config(const WorkerConfig& config) {
  require(config.max_batch_size >= 1, "max_batch_size must be at least 1");
  require(config.batch_delay >= Duration{0}, "batch_delay must not be negative");
  require(config.instances >= 1, "instances must be at least 1");
  require(config.max_queue >= 1, "max_queue must be at least 1");
  require(config.max_concurrent_requests >= 1, "max_concurrent_requests must be at least 1");
  require(config.concurrent_streams >= 1, "concurrent_streams must be at least 1");
  require(config.stream_window >= 1, "stream_window must be at least 1");
  require(config.watchdog > Duration{0}, "watchdog must be more than zero");
  require(config.session_idle > Duration{0}, "session_idle must be more than zero");
  require(config.max_connections >= 1, "max_connections must be at least 1");
  require(!config.output_lease || *config.output_lease > Duration{0}, "output_lease must be more than zero");
  const std::optional<TlsConfig>& tls = config.access.tls;
  require(!tls || (!tls->certificate.empty() && !tls->key.empty()), "tls must have a certificate and a key");
  require(config.spin >= Duration{0}, "spin must not be negative");
  require(config.drain_timeout >= Duration{0}, "drain_timeout must not be negative");
}

}  // namespace remotemedia
