// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_config.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;

TEST(WorkerConfigTest, HasTheDefaultsThatAreDocumented) {
  const WorkerConfig config;
  EXPECT_EQ(config.max_batch_size, 8);
  EXPECT_EQ(config.batch_delay, 0s);
  EXPECT_EQ(config.instances, 1U);
  EXPECT_EQ(config.max_queue, 1024U);
  EXPECT_EQ(config.max_concurrent_requests, 100U);
  EXPECT_EQ(config.concurrent_streams, 1U);
  EXPECT_EQ(config.stream_window, 16U);
  EXPECT_EQ(config.watchdog, Duration(60s));
  EXPECT_EQ(config.session_idle, Duration(300s));
  EXPECT_EQ(config.memory_quota_bytes, std::nullopt);
  EXPECT_EQ(config.max_connections, 256U);
  EXPECT_EQ(config.output_lease, std::nullopt);
  EXPECT_EQ(config.spin, Duration(50us));
  EXPECT_EQ(config.drain_timeout, Duration(30s));
  EXPECT_EQ(config.clock, nullptr);
  EXPECT_NO_THROW(check_config(config));
}

struct Refused {
  const char* option;
  WorkerConfig config;
};

TEST(WorkerConfigTest, NonsenseIsRefusedNamingTheOption) {
  const Refused nonsense[] = {
      {"max_batch_size", {.max_batch_size = 0}},
      {"max_batch_size", {.max_batch_size = -1}},
      {"batch_delay", {.batch_delay = -1ns}},
      {"instances", {.instances = 0}},
      {"max_queue", {.max_queue = 0}},
      {"max_concurrent_requests", {.max_concurrent_requests = 0}},
      {"concurrent_streams", {.concurrent_streams = 0}},
      {"stream_window", {.stream_window = 0}},
      {"watchdog", {.watchdog = 0ns}},
      {"watchdog", {.watchdog = -1s}},
      {"session_idle", {.session_idle = 0ns}},
      {"session_idle", {.session_idle = -1s}},
      {"max_connections", {.max_connections = 0}},
      {"output_lease", {.output_lease = 0ns}},
      {"output_lease", {.output_lease = -1s}},
      {"spin", {.spin = -1ns}},
      {"drain_timeout", {.drain_timeout = -1ns}},
  };
  for (const Refused& one : nonsense) {
    for (int time = 0; time < 2; ++time) {
      const Error error = testing::thrown([&] { check_config(one.config); });
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << one.option;
      EXPECT_TRUE(std::string(error.what()).starts_with("WorkerConfig: " + std::string(one.option) + " must "))
          << error.what();
    }
  }
}

TEST(WorkerConfigTest, TheEndsOfWhatMakesSenseAreTaken) {
  EXPECT_NO_THROW(check_config({.max_batch_size = 1,
                                .max_queue = 1,
                                .max_concurrent_requests = 1,
                                .stream_window = 1,
                                .watchdog = 1ns,
                                .session_idle = 1ns,
                                .memory_quota_bytes = 0,
                                .spin = 0ns,
                                .drain_timeout = 0ns}));
  EXPECT_NO_THROW(check_config({.max_batch_size = std::numeric_limits<std::int64_t>::max(),
                                .batch_delay = Duration::max(),
                                .instances = SIZE_MAX,
                                .watchdog = Duration::max(),
                                .session_idle = Duration::max(),
                                .spin = Duration::max(),
                                .drain_timeout = Duration::max()}));
}

}  // namespace
}  // namespace remotemedia
