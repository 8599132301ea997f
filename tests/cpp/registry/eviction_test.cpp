// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();
constexpr TimePoint kNow{1h};

EvictionEntry idle(std::size_t bytes, std::uint64_t released, std::uint64_t accesses = 1) {
  EvictionEntry entry;
  entry.memory_bytes = bytes;
  entry.idle = true;
  entry.release_order = released;
  entry.access_count = accesses;
  entry.loaded_at = kNow - 10min;
  return entry;
}

EvictionEntry held(std::size_t bytes) {
  EvictionEntry entry = idle(bytes, 0);
  entry.idle = false;
  return entry;
}

EvictionEntry expired(std::size_t bytes, std::uint64_t released) {
  EvictionEntry entry = idle(bytes, released);
  entry.expires_at = kNow;
  return entry;
}

EvictionLimits bytes_limit(std::size_t bytes, EvictionPolicy policy = EvictionPolicy::lru) {
  return {policy, std::nullopt, bytes, Duration{0}};
}

EvictionLimits models_limit(std::size_t models, EvictionPolicy policy = EvictionPolicy::lru) {
  return {policy, models, std::nullopt, Duration{0}};
}

TEST(PlanEvictionTest, WithoutLimitsEverythingFits) {
  const std::vector<EvictionEntry> entries{idle(kHuge, 1), held(kHuge), idle(kHuge, 2)};
  for (const auto policy : {EvictionPolicy::lru, EvictionPolicy::lfu, EvictionPolicy::ttl, EvictionPolicy::manual}) {
    const EvictionPlan plan = plan_eviction(entries, {policy, {}, {}, Duration{0}}, kHuge, kNow);
    EXPECT_TRUE(plan.fits);
    EXPECT_THAT(plan.victims, IsEmpty());
    EXPECT_THAT(plan.blockers, IsEmpty());
  }
}

TEST(PlanEvictionTest, NobodyGoesWhileThereIsRoom) {
  const std::vector<EvictionEntry> entries{idle(40, 1), expired(20, 2)};
  const EvictionPlan plan = plan_eviction(entries, bytes_limit(100), 40, kNow);
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(plan.victims, IsEmpty());
}

TEST(PlanEvictionTest, LruTakesTheOneReleasedLongestAgo) {
  const std::vector<EvictionEntry> entries{idle(10, 7), idle(10, 3), idle(10, 5)};
  EXPECT_THAT(plan_eviction(entries, models_limit(3), 10, kNow).victims, ElementsAre(1));
  EXPECT_THAT(plan_eviction(entries, models_limit(2), 10, kNow).victims, ElementsAre(1, 2));
  EXPECT_THAT(plan_eviction(entries, models_limit(1), 10, kNow).victims, ElementsAre(1, 2, 0));
}

TEST(PlanEvictionTest, LfuTakesTheOneAskedForLeastAndAmongEqualsTheOneReleasedLongestAgo) {
  const std::vector<EvictionEntry> entries{idle(10, 1, 9), idle(10, 3, 2), idle(10, 2, 2), idle(10, 4, 1)};
  EXPECT_THAT(plan_eviction(entries, models_limit(4, EvictionPolicy::lfu), 10, kNow).victims, ElementsAre(3));
  EXPECT_THAT(plan_eviction(entries, models_limit(1, EvictionPolicy::lfu), 10, kNow).victims, ElementsAre(3, 2, 1, 0));
}

TEST(PlanEvictionTest, WhatHasExpiredGoesFirstUnderEveryPolicyThatTakes) {
  const std::vector<EvictionEntry> entries{idle(10, 1, 1), expired(10, 9), idle(10, 2, 1)};
  for (const auto policy : {EvictionPolicy::lru, EvictionPolicy::lfu, EvictionPolicy::ttl}) {
    EXPECT_THAT(plan_eviction(entries, models_limit(3, policy), 10, kNow).victims, ElementsAre(1));
  }
}

TEST(PlanEvictionTest, TtlTakesOnlyWhatHasExpired) {
  EvictionEntry almost = idle(10, 1);
  almost.expires_at = kNow + 1ns;
  const std::vector<EvictionEntry> entries{almost, expired(10, 2)};
  EXPECT_THAT(plan_eviction(entries, models_limit(2, EvictionPolicy::ttl), 10, kNow).victims, ElementsAre(1));
  const EvictionPlan plan = plan_eviction(entries, models_limit(1, EvictionPolicy::ttl), 10, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_THAT(plan.victims, IsEmpty());
  EXPECT_THAT(plan.blockers, ElementsAre(0));
  EXPECT_TRUE(plan_eviction(entries, models_limit(1, EvictionPolicy::ttl), 10, kNow + 1ns).fits);
}

TEST(PlanEvictionTest, ManualTakesNobody) {
  const std::vector<EvictionEntry> entries{idle(10, 1), expired(10, 2)};
  const EvictionPlan plan = plan_eviction(entries, models_limit(2, EvictionPolicy::manual), 10, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_THAT(plan.victims, IsEmpty());
  EXPECT_THAT(plan.blockers, ElementsAre(0, 1));
}

TEST(PlanEvictionTest, HeldPinnedAndLoadingModelsNeverGo) {
  EvictionEntry held_and_expired = held(10);
  held_and_expired.expires_at = kNow - 1h;
  const std::vector<EvictionEntry> entries{held_and_expired, idle(10, 1)};
  for (const auto policy : {EvictionPolicy::lru, EvictionPolicy::lfu, EvictionPolicy::ttl, EvictionPolicy::manual}) {
    const EvictionPlan plan = plan_eviction(entries, models_limit(1, policy), 10, kNow);
    EXPECT_FALSE(plan.fits);
    EXPECT_THAT(plan.victims, IsEmpty());
    EXPECT_EQ(plan.blockers.front(), 0U);
  }
}

TEST(PlanEvictionTest, MinResidencyKeepsFromPressureToTheNanosecond) {
  EvictionEntry young = idle(10, 1);
  young.loaded_at = kNow - 5s;
  const std::vector<EvictionEntry> entries{young};
  EvictionLimits limits = models_limit(1);
  limits.min_residency = 5s;
  EXPECT_THAT(plan_eviction(entries, limits, 10, kNow).victims, ElementsAre(0));
  limits.min_residency = 5s + 1ns;
  EXPECT_FALSE(plan_eviction(entries, limits, 10, kNow).fits);
  EXPECT_TRUE(plan_eviction(entries, limits, 10, kNow + 1ns).fits);
}

TEST(PlanEvictionTest, MinResidencyWithoutEndIsNoShortOne) {
  const std::vector<EvictionEntry> entries{idle(10, 1)};
  EvictionLimits limits = models_limit(1);
  limits.min_residency = Duration::max();
  EXPECT_FALSE(plan_eviction(entries, limits, 10, kNow).fits);
}

TEST(PlanEvictionTest, MinResidencyDoesNotKeepWhatHasExpired) {
  EvictionEntry young = expired(10, 1);
  young.loaded_at = kNow;
  EvictionLimits limits = models_limit(1);
  limits.min_residency = 1h;
  EXPECT_THAT(plan_eviction(std::vector{young}, limits, 10, kNow).victims, ElementsAre(0));
}

TEST(PlanEvictionTest, NoVictimIsNeedless) {
  // In order of release: 1, 1, 10 bytes. Only the last one is large enough, and then the others may stay.
  const std::vector<EvictionEntry> entries{idle(1, 1), idle(1, 2), idle(10, 3)};
  EXPECT_THAT(plan_eviction(entries, bytes_limit(12), 10, kNow).victims, ElementsAre(2));
  EXPECT_THAT(plan_eviction(entries, bytes_limit(12), 11, kNow).victims, ElementsAre(0, 2));
  EXPECT_THAT(plan_eviction(entries, bytes_limit(12), 12, kNow).victims, ElementsAre(0, 1, 2));
}

TEST(PlanEvictionTest, AModelWithoutBytesGoesOnlyForItsPlace) {
  const std::vector<EvictionEntry> entries{idle(0, 1), idle(50, 2)};
  EXPECT_THAT(plan_eviction(entries, bytes_limit(50), 10, kNow).victims, ElementsAre(1));
  EXPECT_THAT(plan_eviction(entries, models_limit(2), 10, kNow).victims, ElementsAre(0));
}

TEST(PlanEvictionTest, BothLimitsMustHold) {
  const std::vector<EvictionEntry> entries{idle(90, 2), idle(5, 1)};
  EvictionLimits limits{EvictionPolicy::lru, 2, 100, Duration{0}};
  EXPECT_THAT(plan_eviction(entries, limits, 5, kNow).victims, ElementsAre(1));
  EXPECT_THAT(plan_eviction(entries, limits, 50, kNow).victims, ElementsAre(0));
}

TEST(PlanEvictionTest, ARefusalInBytesSaysWhatIsNeededFreeAndInTheWay) {
  const std::vector<EvictionEntry> entries{held(60), idle(30, 1), held(0)};
  const EvictionPlan plan = plan_eviction(entries, bytes_limit(100), 50, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.unit, OutOfMemory::Unit::bytes);
  EXPECT_EQ(plan.needed, 50U);
  EXPECT_EQ(plan.available, 40U);
  EXPECT_THAT(plan.victims, IsEmpty());
  EXPECT_THAT(plan.blockers, ElementsAre(0));  // not the one that holds no bytes
}

TEST(PlanEvictionTest, ARefusalInModelsSaysSo) {
  const std::vector<EvictionEntry> entries{held(1), idle(1, 1), held(0)};
  const EvictionPlan plan = plan_eviction(entries, models_limit(2), 1, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.unit, OutOfMemory::Unit::models);
  EXPECT_EQ(plan.needed, 1U);
  EXPECT_EQ(plan.available, 0U);
  EXPECT_THAT(plan.blockers, ElementsAre(0, 2));
}

TEST(PlanEvictionTest, NobodyIsInTheWayOfWhatIsLargerThanTheBudget) {
  const std::vector<EvictionEntry> entries{held(60)};
  const EvictionPlan plan = plan_eviction(entries, bytes_limit(100), 101, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.needed, 101U);
  EXPECT_EQ(plan.available, 40U);
  EXPECT_THAT(plan.blockers, IsEmpty());
}

TEST(PlanEvictionTest, SizesThatDoNotFitANumberTogetherAreNotTakenForSmall) {
  const std::vector<EvictionEntry> entries{held(kHuge), held(2)};  // together 1, if it wrapped around
  EXPECT_FALSE(plan_eviction(entries, bytes_limit(kHuge), 10, kNow).fits);
  EXPECT_FALSE(plan_eviction(entries, bytes_limit(100), kHuge, kNow).fits);
  const std::vector<EvictionEntry> going{idle(kHuge, 1), idle(kHuge, 2), held(2)};
  EXPECT_THAT(plan_eviction(going, bytes_limit(kHuge), 10, kNow).victims, ElementsAre(0, 1));
  EXPECT_THAT(plan_eviction(going, bytes_limit(kHuge), kHuge - 2, kNow).victims, ElementsAre(0, 1));
  EXPECT_FALSE(plan_eviction(going, bytes_limit(kHuge), kHuge - 1, kNow).fits);
}

TEST(PlanEvictionTest, TheWholeBudgetFitsOneModel) {
  EXPECT_TRUE(plan_eviction({}, bytes_limit(100), 100, kNow).fits);
  EXPECT_FALSE(plan_eviction({}, bytes_limit(100), 101, kNow).fits);
  EXPECT_TRUE(plan_eviction({}, bytes_limit(0), 0, kNow).fits);
  EXPECT_FALSE(plan_eviction({}, bytes_limit(0), 1, kNow).fits);
}

TEST(FindExpiredTest, IsWhatIsIdleAndOverItsTime) {
  EvictionEntry almost = idle(1, 1);
  almost.expires_at = kNow + 1ns;
  EvictionEntry held_and_over = held(1);
  held_and_over.expires_at = kNow - 1h;
  const std::vector<EvictionEntry> entries{expired(1, 1), almost, held_and_over, idle(1, 2), expired(1, 3)};
  EXPECT_THAT(find_expired(entries, EvictionPolicy::lru, kNow), ElementsAre(0, 4));
  EXPECT_THAT(find_expired(entries, EvictionPolicy::lfu, kNow), ElementsAre(0, 4));
  EXPECT_THAT(find_expired(entries, EvictionPolicy::ttl, kNow + 1ns), ElementsAre(0, 1, 4));
  EXPECT_THAT(find_expired(entries, EvictionPolicy::manual, kNow), IsEmpty());
}

}  // namespace
}  // namespace remotemedia
