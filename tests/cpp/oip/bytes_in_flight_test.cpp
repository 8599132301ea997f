// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/bytes_in_flight.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace remotemedia::detail {
namespace {

TEST(BytesInFlightTest, WhatIsBeyondIsNotTakenAndTakesNothing) {
  const auto bytes = std::make_shared<BytesInFlight>(100);
  const BytesInFlight::Share first = bytes->take(60);
  EXPECT_TRUE(first);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(bytes->take(41));
  EXPECT_TRUE(bytes->take(40));
}

TEST(BytesInFlightTest, AShareThatEndsGivesItsBytesBackOnce) {
  const auto bytes = std::make_shared<BytesInFlight>(100);
  for (int i = 0; i < 3; ++i) {
    BytesInFlight::Share taken = bytes->take(100);
    EXPECT_TRUE(taken);
    const BytesInFlight::Share moved = std::move(taken);
    EXPECT_FALSE(bytes->take(1));
  }
  EXPECT_TRUE(bytes->take(100));
}

TEST(BytesInFlightTest, SharesThatAreJoinedGiveAllTheirBytesBackOnce) {
  const auto bytes = std::make_shared<BytesInFlight>(100);
  for (int i = 0; i < 3; ++i) {
    BytesInFlight::Share all;
    for (const std::uint64_t part : {60U, 30U, 10U}) all.join(bytes->take(part));
    EXPECT_TRUE(all);
    EXPECT_FALSE(bytes->take(1));
    all = BytesInFlight::Share();
    EXPECT_TRUE(bytes->take(100));
  }
}

TEST(BytesInFlightTest, AShareOutlivesWhatItIsOf) {
  auto bytes = std::make_shared<BytesInFlight>(100);
  const BytesInFlight::Share share = bytes->take(100);
  bytes.reset();
  EXPECT_TRUE(share);
}

}  // namespace
}  // namespace remotemedia::detail
