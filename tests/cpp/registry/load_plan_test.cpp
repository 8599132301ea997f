// SPDX-License-Identifier: Apache-2.0
//
// plan(): what a load would evict, without doing it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "registry/registry_of_probes.h"
#include "testing/latch.h"

namespace remotemedia {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Probe;
using testing::probe_loader;
using LoadPlanTest = testing::RegistryOfProbesTest;

TEST_F(LoadPlanTest, SaysWhatWouldGoWithoutDoingIt) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  load("a", 40);
  load("b", 40);
  const auto held = hold("held", 20);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const LoadPlan plan = registry_->plan("new", 50);
    EXPECT_TRUE(plan.fits);
    EXPECT_THAT(plan.victims, ElementsAre("a", "b"));
    EXPECT_THAT(plan.blocked_by, IsEmpty());
  }
  const LoadPlan refused_plan = registry_->plan("new", 90);
  EXPECT_FALSE(refused_plan.fits);
  EXPECT_THAT(refused_plan.victims, IsEmpty());
  EXPECT_THAT(refused_plan.blocked_by, ElementsAre("held"));
  EXPECT_FALSE(registry_->plan("new", 101).fits);
  EXPECT_THAT(there(), ElementsAre("a", "b", "held"));
  EXPECT_EQ(registry_->list_models().size(), 3U);
}

TEST_F(LoadPlanTest, IsWhatTheLoadThenDoes) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100, .max_models = 4});
  std::mt19937 random(3);  // NOLINT: the same every time
  for (int round = 0; round < 200; ++round) {
    const std::string key = "model " + std::to_string(random() % 20);
    const std::size_t size = 10 * (random() % 8);
    const std::vector<std::string> before = there();
    const LoadPlan plan = registry_->plan(key, size);
    ASSERT_TRUE(plan.fits);
    load(key, size);
    std::vector<std::string> expected;
    for (const std::string& one : before) {
      if (std::ranges::find(plan.victims, one) == plan.victims.end()) expected.push_back(one);
    }
    if (std::ranges::find(before, key) == before.end()) expected.push_back(key);
    std::ranges::sort(expected);
    ASSERT_EQ(there(), expected) << "in round " << round;
  }
}

TEST_F(LoadPlanTest, WhatIsThereOrIsBeingLoadedEvictsNobody) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100, .max_models = 1});
  load("a", 60);
  EXPECT_TRUE(registry_->plan("a", 60).fits);
  EXPECT_THAT(registry_->plan("a", 60).victims, IsEmpty());
  testing::Latch begun(1);
  testing::Latch may_end(1);
  LoadOptions sized;
  sized.memory_bytes = 60;
  std::jthread loads([&] {
    registry_->get_or_load<Probe>(
        "b",
        [&] {
          begun.count_down();
          may_end.wait();
          return std::make_unique<Probe>(life_);
        },
        sized);
  });
  begun.wait();
  const LoadPlan plan = registry_->plan("b", 60);
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(plan.victims, IsEmpty());
  EXPECT_FALSE(registry_->plan("c", 1).fits);
  may_end.count_down();
}

TEST_F(LoadPlanTest, TakesWhatIsBeingDestroyedForGone) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  testing::Latch may_end(1);
  LoadOptions sized;
  sized.memory_bytes = 100;
  registry_->get_or_load<Probe>("old", probe_loader(life_, [&] { may_end.wait(); }), sized).release();
  registry_->evict("old");
  EXPECT_TRUE(registry_->plan("new", 100).fits);
  EXPECT_TRUE(registry_->plan("old", 100).fits);
  may_end.count_down();
  registry_->clear();
}

}  // namespace
}  // namespace remotemedia
