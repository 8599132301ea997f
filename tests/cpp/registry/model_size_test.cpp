// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a model: what it is declared to take, what it says itself, and from when to when they count.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "registry/registry_of_probes.h"
#include "testing/latch.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using ::testing::ElementsAre;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;
using ModelSizeTest = testing::RegistryOfProbesTest;

constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();

TEST_F(ModelSizeTest, BytesCountUntilTheDestructorHasReturned) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  testing::Latch dying(1);
  testing::Latch may_end(1);
  LoadOptions sized;
  sized.memory_bytes = 80;
  registry_->get_or_load<Probe>("old",
                                probe_loader(life_,
                                             [&] {
                                               dying.count_down();
                                               may_end.wait();
                                             }),
                                sized);
  std::jthread loads_new([&] {
    const auto fresh = registry_->get_or_load<Probe>(
        "new",
        [&] {
          EXPECT_EQ(life_.alive, 0) << "the old one's memory was really released";
          return std::make_unique<Probe>(life_);
        },
        sized);
  });
  dying.wait();
  EXPECT_EQ(bytes(), 80U);
  EXPECT_EQ(registry_->metrics().total_models, 1U);
  EXPECT_EQ(registry_->list_models().at(1).state, ModelState::evicting);
  EXPECT_EQ(registry_->list_models().at(0).state, ModelState::loading);
  EXPECT_EQ(log_.count(Kind::load_started, "new"), 0U);
  may_end.count_down();
  loads_new.join();
  EXPECT_EQ(bytes(), 80U);
  EXPECT_EQ(life_.most_alive, 1);
}

TEST_F(ModelSizeTest, BytesCountFromTheApprovalOfALoad) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100, .max_concurrent_loads = 4});
  testing::Latch begun(1);
  testing::Latch may_end(1);
  LoadOptions sized;
  sized.memory_bytes = 60;
  std::jthread loads([&] {
    registry_->get_or_load<Probe>(
        "a",
        [&] {
          begun.count_down();
          may_end.wait();
          return std::make_unique<Probe>(life_);
        },
        sized);
  });
  begun.wait();
  EXPECT_EQ(bytes(), 60U);
  EXPECT_EQ(registry_->metrics().total_models, 1U);
  const OutOfMemory error = refused("b", 41);
  EXPECT_EQ(error.available, 40U);
  EXPECT_THAT(error.holders, ElementsAre("a"));
  load("c", 40);
  EXPECT_EQ(bytes(), 100U);
  may_end.count_down();
  loads.join();
  EXPECT_EQ(bytes(), 100U);
}

TEST_F(ModelSizeTest, BytesOfAFailedLoadAreFreeAgain) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100, .max_models = 1});
  LoadOptions sized;
  sized.memory_bytes = 100;
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] {
                registry_->get_or_load<Probe>(
                    "bad", []() -> std::unique_ptr<Probe> { throw std::runtime_error("no"); }, sized);
              }),
              ErrorCode::load_failed);
    EXPECT_EQ(bytes(), 0U);
    EXPECT_EQ(registry_->metrics().total_models, 0U);
  }
  load("good", 100);
}

TEST_F(ModelSizeTest, WhatAModelSaysItTakesReplacesWhatWasDeclared) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  const auto smaller = hold_sized("smaller", 60, 30);
  EXPECT_EQ(bytes(), 30U);
  const auto larger = hold_sized("larger", 10, 70);
  EXPECT_EQ(bytes(), 100U);
  EXPECT_EQ(registry_->list_models().at(0).memory_bytes, 70U);
  EXPECT_EQ(registry_->list_models().at(1).memory_bytes, 30U);
}

TEST_F(ModelSizeTest, AModelLargerThanDeclaredMakesTheRoomItNeeds) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  load("a", 40);
  load("b", 40);
  const auto grown = hold_sized("grown", 10, 50);
  log_.wait_for(Kind::destroyed, "a");
  EXPECT_THAT(there(), ElementsAre("b", "grown"));
  EXPECT_EQ(bytes(), 90U);
}

TEST_F(ModelSizeTest, AModelTooLargeOnceItIsMeasuredIsRefusedAndDestroyed) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  load("idle", 30);
  const auto held = hold("held", 30);
  for (std::size_t attempt = 1; attempt <= 2; ++attempt) {
    const OutOfMemory error = testing::thrown<OutOfMemory>([&] { hold_sized("grown", 10, 71); });
    EXPECT_EQ(error.needed, 71U);
    EXPECT_EQ(error.available, 70U);
    EXPECT_THAT(error.holders, ElementsAre("held"));
    log_.wait_for(Kind::destroyed, "grown", attempt);
    EXPECT_EQ(bytes(), 60U);
    EXPECT_EQ(registry_->metrics().failed_loads, attempt);
    EXPECT_EQ(log_.count(Kind::load_failed, "grown"), attempt) << "a load that starts ends with an event";
  }
  EXPECT_THAT(there(), ElementsAre("held", "idle")) << "nothing went for what cannot fit";
  EXPECT_EQ(life_.alive, 2);
  EXPECT_EQ(testing::thrown<OutOfMemory>([&] { hold_sized("whole", 0, 101); }).needed, 101U);
}

TEST_F(ModelSizeTest, AModelThatSaysNonsenseOfItsSizeDoesNotOpenTheBudget) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  const auto held = hold("held", 60);
  testing::Latch dying(1);
  testing::Latch may_end(1);
  struct Liar : Probe {
    Liar(Life& life, std::function<void()> on_end) : Probe(life, std::move(on_end)) {}
    std::size_t memory_usage() const { return kHuge; }
  };
  EXPECT_EQ(testing::code_thrown([&] {
              registry_->get_or_load<Liar>("liar", [&] {
                return std::make_unique<Liar>(life_, [&] {
                  dying.count_down();
                  may_end.wait();
                });
              });
            }),
            ErrorCode::out_of_memory);
  dying.wait();
  EXPECT_EQ(bytes(), kHuge);
  std::jthread other([&] { hold("other", 40); });
  while (registry_->list_models().size() < 3) std::this_thread::yield();
  EXPECT_EQ(log_.count(Kind::load_started, "other"), 0U);
  may_end.count_down();
  other.join();
  EXPECT_EQ(bytes(), 100U);
}

TEST_F(ModelSizeTest, WithoutALimitAnySizeIsTaken) {
  make({.ttl = std::nullopt});
  const auto a = hold("a", kHuge);
  const auto b = hold_sized("b", 1, kHuge);
  EXPECT_THAT(there(), ElementsAre("a", "b"));
  EXPECT_EQ(registry_->list_models().at(0).memory_bytes, kHuge);
}

}  // namespace
}  // namespace remotemedia
