// SPDX-License-Identifier: Apache-2.0
//
// clear(): what it takes, and when it returns.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "registry/registry_of_probes.h"
#include "testing/latch.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;
using ClearTest = testing::RegistryOfProbesTest;

TEST_F(ClearTest, TakesPinnedModelsAndLeavesHeldOnes) {
  make({.ttl = std::nullopt});
  load("idle");
  load("pinned");
  registry_->pin("pinned");
  const auto held = hold("held");
  registry_->clear();
  EXPECT_EQ(life_.alive, 1);
  EXPECT_EQ(registry_->list_models().size(), 1U);
  EXPECT_EQ(registry_->list_models().at(0).key, "held");
}

TEST_F(ClearTest, ReturnsWhenTheDestructorHasReturned) {
  make({.ttl = std::nullopt});
  testing::Latch dying(1);
  testing::Latch may_end(1);
  registry_->get_or_load<Probe>("a", probe_loader(life_, [&] {
                                  dying.count_down();
                                  may_end.wait();
                                }));
  std::atomic<bool> cleared{false};
  std::jthread clears([&] {
    registry_->clear();
    EXPECT_EQ(life_.alive, 0);
    cleared = true;
  });
  dying.wait();
  EXPECT_FALSE(cleared);
  may_end.count_down();
}

TEST_F(ClearTest, WithATimeoutThatPassesSaysSoAndTheDestructionGoesOn) {
  make({.ttl = std::nullopt});
  testing::Latch may_end(1);
  registry_->get_or_load<Probe>("a", probe_loader(life_, [&] { may_end.wait(); }));
  EXPECT_EQ(testing::code_thrown([&] { registry_->clear(0ns); }), ErrorCode::deadline_exceeded);
  testing::Latch waits(1);
  std::jthread clears([&] {
    waits.count_down();
    EXPECT_EQ(testing::code_thrown([&] { registry_->clear(5s); }), ErrorCode::deadline_exceeded);
  });
  waits.wait();
  std::atomic<bool> over{false};
  std::jthread time([&] {
    while (!over) clock_.advance(1s);
  });
  clears.join();
  over = true;
  EXPECT_EQ(life_.alive, 1);
  may_end.count_down();
  registry_->clear(Duration::max());
  EXPECT_EQ(life_.alive, 0);
  registry_->clear(0ns);  // nothing to wait for
}

TEST_F(ClearTest, WaitsForWhatOthersEvicted) {
  make({.ttl = std::nullopt});
  for (int i = 0; i < 20; ++i) {
    load("a");
    EXPECT_TRUE(registry_->evict("a"));
    registry_->clear();
    EXPECT_EQ(life_.alive, 0);
  }
}

TEST_F(ClearTest, TakesModelsThatOnlyOtherModelsHold) {
  struct Outer {
    ModelHandle<Probe> inner;
  };
  make({.ttl = std::nullopt});
  registry_->get_or_load<Outer>("outer", [&] { return std::make_unique<Outer>(Outer{hold("inner")}); });
  registry_->clear();
  EXPECT_TRUE(registry_->list_models().empty());
  EXPECT_EQ(life_.alive, 0);
}

TEST_F(ClearTest, WithANegativeTimeoutIsRefused) {
  make({});
  load("a");
  EXPECT_EQ(testing::code_thrown([&] { registry_->clear(-1ns); }), ErrorCode::invalid_argument);
  EXPECT_TRUE(registry_->contains("a"));
}

TEST_F(ClearTest, FromAListenerOrADestructorIsAnErrorAndNoDeadlock) {
  make({.ttl = std::nullopt});
  std::atomic<int> refused{0};
  const auto try_to_clear = [&] {
    try {
      registry_->clear();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::invalid_argument) ++refused;
    }
  };
  registry_->get_or_load<Probe>("a", probe_loader(life_, try_to_clear)).release();
  registry_->clear();
  EXPECT_EQ(refused, 1);
  const auto stop = registry_->subscribe([&](const RegistryEvent& event) {
    if (event.kind == Kind::loaded) try_to_clear();
  });
  load("b");
  log_.wait_for(Kind::destroyed, "a");
  log_.wait_for(Kind::loaded, "b");
  registry_->clear();
  log_.wait_for(Kind::destroyed, "b");
  EXPECT_EQ(refused, 2);
}

}  // namespace
}  // namespace remotemedia
