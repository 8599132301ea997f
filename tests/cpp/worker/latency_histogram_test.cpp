// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "testing/random_source.h"

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;
using testing::RandomSource;

constexpr double kFractions[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};

/// The smallest of them that at least `fraction` of them do not exceed.
Duration exact_percentile(std::vector<Duration> latencies, double fraction) {
  std::ranges::sort(latencies);
  std::size_t index = 0;
  while (static_cast<double>(index + 1) < fraction * static_cast<double>(latencies.size())) ++index;
  return latencies[index];
}

void expect_close(const LatencyHistogram& histogram, const std::vector<Duration>& latencies) {
  for (const double fraction : kFractions) {
    const Duration exact = exact_percentile(latencies, fraction);
    const Duration told = histogram.percentile(fraction);
    ASSERT_GE(told, exact) << fraction;
    ASSERT_LE(told - exact, exact / 4) << fraction << " of them within " << exact.count() << " ns";
  }
}

TEST(LatencyHistogramTest, WithoutAnyItSaysZero) {
  const LatencyHistogram histogram;
  for (const double fraction : kFractions) EXPECT_EQ(histogram.percentile(fraction), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
}

TEST(LatencyHistogramTest, AnyDurationAloneIsToldAtMostAQuarterTooLarge) {
  std::vector<Duration> latencies;
  for (int i = 0; i < 70; ++i) latencies.emplace_back(i);
  for (int power = 2; power < 63; ++power) {
    for (std::int64_t step = 0; step < 5 && (power < 62 || step < 4); ++step) {
      const std::int64_t border = (std::int64_t{4} + step) << (power - 2);
      for (const std::int64_t near : {-1, 0, 1}) latencies.emplace_back(border + near);
    }
  }
  latencies.push_back(Duration::max());
  for (const Duration latency : latencies) {
    LatencyHistogram histogram;
    histogram.record(latency);
    expect_close(histogram, {latency});
  }
}

TEST(LatencyHistogramTest, PercentilesAreNeverTooSmallAndAtMostAQuarterTooLarge) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  for (int round = 0; round < 200; ++round) {
    LatencyHistogram histogram;
    std::vector<Duration> latencies;
    const std::uint64_t widest = 1 + random.below(63);
    const std::uint64_t count = 1 + random.below(300);
    for (std::uint64_t i = 0; i < count; ++i) {
      const Duration latency(static_cast<std::int64_t>(random.bits() >> (64 - 1 - random.below(widest))));
      latencies.push_back(latency);
      histogram.record(latency);
    }
    expect_close(histogram, latencies);
  }
}

TEST(LatencyHistogramTest, OneOfAHundredIsBeyondTheNinetyNinth) {
  LatencyHistogram histogram;
  for (int i = 0; i < 99; ++i) histogram.record(1ms);
  histogram.record(1s);
  EXPECT_LE(histogram.percentile(0.99), 1250us);
  EXPECT_GE(histogram.percentile(1), 1s);
  histogram.record(1s);
  EXPECT_GE(histogram.percentile(0.99), 1s);
}

TEST(LatencyHistogramTest, TheMeanIsExact) {
  LatencyHistogram histogram;
  histogram.record(1ns);
  EXPECT_EQ(histogram.mean(), 1ns);
  histogram.record(1s);
  histogram.record(2s + 2ns);
  EXPECT_EQ(histogram.mean(), 1s + 1ns);
}

TEST(LatencyHistogramTest, WhatIsNegativeCountsAsZero) {
  LatencyHistogram histogram;
  histogram.record(-1ns);
  histogram.record(Duration::min());
  EXPECT_EQ(histogram.percentile(1), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
}

TEST(LatencyHistogramTest, AllOfThemMayTogetherBeMoreThanADurationHolds) {
  LatencyHistogram histogram;
  for (int i = 0; i < 3; ++i) histogram.record(Duration::max() / 2);
  EXPECT_GT(histogram.mean(), Duration::max() / 2 - 1s);
  EXPECT_LT(histogram.mean(), Duration::max() / 2 + 1s);
  LatencyHistogram longest;
  longest.record(Duration::max());
  longest.record(Duration::max());
  EXPECT_EQ(longest.mean(), Duration::max());
}

}  // namespace
}  // namespace remotemedia::detail
