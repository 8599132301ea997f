// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_statistics.h"

#include <gtest/gtest.h>

#include <chrono>

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;

WorkerInfo written(const WorkerStatistics& statistics) {
  WorkerInfo info;
  statistics.write_to(info);
  return info;
}

TEST(WorkerStatisticsTest, AtFirstThereIsNothing) {
  WorkerInfo info;  // with something else in it
  info.total_requests = info.failed_requests = info.cancelled_requests = info.expired_requests = 7;
  info.rejected_requests = 7;
  info.average_batch_size = info.average_latency_ms = info.p50_latency_ms = info.p99_latency_ms = 7;
  WorkerStatistics{}.write_to(info);
  EXPECT_EQ(info.total_requests, 0U);
  EXPECT_EQ(info.failed_requests, 0U);
  EXPECT_EQ(info.cancelled_requests, 0U);
  EXPECT_EQ(info.expired_requests, 0U);
  EXPECT_EQ(info.rejected_requests, 0U);
  EXPECT_EQ(info.average_batch_size, 0);
  EXPECT_EQ(info.average_latency_ms, 0);
  EXPECT_EQ(info.p50_latency_ms, 0);
  EXPECT_EQ(info.p99_latency_ms, 0);
}

TEST(WorkerStatisticsTest, EveryEndIsCountedAsWhatItWas) {
  struct Expected {
    Outcome outcome;
    unsigned failed, cancelled, expired;
  };
  const Expected expected[] = {
      {Outcome::answered, 0, 0, 0}, {Outcome::failed, 1, 0, 0},     {Outcome::cancelled, 0, 1, 0},
      {Outcome::expired, 0, 0, 1},  {Outcome::unfinished, 1, 0, 0},
  };
  for (const Expected& one : expected) {
    WorkerStatistics statistics;
    statistics.count_end(one.outcome, 1ms);
    const WorkerInfo info = written(statistics);
    EXPECT_EQ(info.total_requests, 1U);
    EXPECT_EQ(info.failed_requests, one.failed);
    EXPECT_EQ(info.cancelled_requests, one.cancelled);
    EXPECT_EQ(info.expired_requests, one.expired);
    EXPECT_EQ(info.rejected_requests, 0U);
  }
}

TEST(WorkerStatisticsTest, WhatWasRejectedIsNoRequest) {
  WorkerStatistics statistics;
  statistics.count_rejection();
  statistics.count_rejection();
  EXPECT_EQ(written(statistics).rejected_requests, 2U);
  EXPECT_EQ(written(statistics).total_requests, 0U);
}

TEST(WorkerStatisticsTest, ABatchIsAsLargeAsItsRows) {
  WorkerStatistics statistics;
  statistics.count_run(1, TimePoint{});
  EXPECT_DOUBLE_EQ(written(statistics).average_batch_size, 1);
  statistics.count_run(8, TimePoint{});
  EXPECT_DOUBLE_EQ(written(statistics).average_batch_size, 4.5);
}

TEST(WorkerStatisticsTest, LatenciesAreInMilliseconds) {
  WorkerStatistics statistics;
  for (int i = 0; i < 98; ++i) statistics.count_end(Outcome::answered, 2ms);
  statistics.count_end(Outcome::failed, 52ms);
  statistics.count_end(Outcome::answered, 52ms);
  const WorkerInfo info = written(statistics);
  EXPECT_DOUBLE_EQ(info.average_latency_ms, 3);
  EXPECT_GE(info.p50_latency_ms, 2);
  EXPECT_LE(info.p50_latency_ms, 2 * 1.25);
  EXPECT_GE(info.p99_latency_ms, 52);
  EXPECT_LE(info.p99_latency_ms, 52 * 1.25);
}

}  // namespace
}  // namespace remotemedia::detail
