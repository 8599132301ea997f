// SPDX-License-Identifier: Apache-2.0
//
// The end of a registry: what nobody holds is destroyed, what is held stays valid for its holders.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "remotemedia/registry/registry_core.h"
#include "testing/event_log.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using detail::RegistryCore;
using testing::EventLog;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

struct NamedConfig {
  const char* name;
  RegistryConfig config;
};
void PrintTo(const NamedConfig& named, std::ostream* out) { *out << named.name; }

ManualClock still_clock;
const NamedConfig kConfigs[] = {
    {"Default", {}},
    {"GoneAtOnce", {.ttl = 0ns}},
    {"ForEver", {.ttl = std::nullopt}},
    {"Limited", {.max_memory_bytes = 1'000'000, .max_models = 100}},
    {"Manual", {.eviction_policy = EvictionPolicy::manual}},
    {"StillClock", {.ttl = 1s, .clock = &still_clock}},
};

/// With every kind of limit and clock that changes what a release does.
class RegistryEndTest : public ::testing::TestWithParam<NamedConfig> {
 protected:
  void make() { registry_.emplace(GetParam().config); }

  Life life_;
  std::optional<ModelRegistry> registry_;
};

INSTANTIATE_TEST_SUITE_P(Configs, RegistryEndTest, ::testing::ValuesIn(kConfigs),
                         [](const auto& suite) { return suite.param.name; });

TEST_P(RegistryEndTest, WhatNobodyHoldsIsDestroyedBeforeItIsOver) {
  make();
  {
    const auto pinned = registry_->get_or_load<Probe>("pinned", probe_loader(life_));
    registry_->pin("pinned");
  }
  for (int i = 0; i < 5; ++i) registry_->get_or_load<Probe>(std::to_string(i), probe_loader(life_));
  registry_.reset();
  EXPECT_EQ(life_.alive, 0);
  EXPECT_NE(life_.ended_on.load(), std::this_thread::get_id()) << "the registry's own thread destroys";
}

TEST_P(RegistryEndTest, HandlesStayValidAndTheLastOneDestroysTheModel) {
  make();
  auto handle = registry_->get_or_load<Probe>("a", probe_loader(life_));
  registry_.reset();
  EXPECT_EQ(life_.alive, 1);
  EXPECT_EQ(handle.key(), "a");
  EXPECT_EQ(handle.model_id(), "a");
  auto copy = handle;
  handle.release();
  EXPECT_EQ(life_.alive, 1);
  EXPECT_EQ(copy.key(), "a");
  copy.release();
  EXPECT_EQ(life_.alive, 0);
  EXPECT_EQ(life_.ended_on.load(), std::this_thread::get_id()) << "there is no other thread left";
}

TEST_P(RegistryEndTest, LabelledHandlesStayValidToo) {
  make();
  LoadOptions options;
  options.holder = "keeper";
  auto handle = registry_->get_or_load<Probe>("a", probe_loader(life_), options);
  auto copy = handle;
  registry_.reset();
  auto late_copy = copy;
  handle.release();
  copy.release();
  EXPECT_EQ(life_.alive, 1);
  late_copy.release();
  EXPECT_EQ(life_.alive, 0);
}

TEST_P(RegistryEndTest, HoldersLetGoWhileItEnds) {
  for (int round = 0; round < 60; ++round) {
    make();
    std::vector<ModelHandle<Probe>> handles;
    for (std::size_t i = 0; i < 24; ++i) {
      LoadOptions options;
      if (i % 3 == 0) options.holder = "labelled";
      handles.push_back(registry_->get_or_load<Probe>(std::to_string(i % 5), probe_loader(life_), options));
    }
    testing::together(4, [&](std::size_t thread) {
      if (thread == 3) {
        registry_.reset();
        return;
      }
      for (std::size_t i = thread; i < handles.size(); i += 3) {
        auto copy = handles[i];
        handles[i].release();
      }
    });
    ASSERT_EQ(life_.alive, 0) << "in round " << round;
  }
}

TEST_P(RegistryEndTest, CopiesAreMadeWhileItEnds) {
  for (int round = 0; round < 40; ++round) {
    make();
    const auto handle = registry_->get_or_load<Probe>("a", probe_loader(life_));
    testing::together(4, [&](std::size_t thread) {
      if (thread == 0) {
        registry_.reset();
      } else {
        for (int i = 0; i < 200; ++i) auto copy = handle;
      }
    });
    EXPECT_EQ(life_.alive, 1);
    auto last = handle;
    EXPECT_EQ(&*last, &*handle);
  }
  registry_.reset();
}

TEST(RegistryEndingTest, AModelThatHoldsAnotherIsNoObstacle) {
  struct Outer {
    explicit Outer(ModelHandle<Probe> handle) : inner(std::move(handle)) {}
    ModelHandle<Probe> inner;
  };
  Life life;
  for (int round = 0; round < 2; ++round) {
    std::optional<ModelHandle<Outer>> outer;
    {
      ModelRegistry registry;
      outer = registry.get_or_load<Outer>(
          "outer", [&] { return std::make_unique<Outer>(registry.get_or_load<Probe>("inner", probe_loader(life))); });
      if (round == 0) outer.reset();
    }
    EXPECT_EQ(life.alive, round);
    outer.reset();
    EXPECT_EQ(life.alive, 0);
  }
}

TEST(RegistryEndingTest, ALoadThatWaitsForItsTurnEndsAsCancelled) {
  const auto core = RegistryCore::open({.max_concurrent_loads = 1});
  bool turn = false;
  const auto first = core->ask({"first", typeid(int), {}, {}, {}});
  core->start(first->flight, [] {});
  const auto queued = core->ask({"queued", typeid(int), {}, {}, {}});
  core->start(queued->flight, [&] { turn = true; });
  const auto not_started = core->ask({"not started", typeid(int), {}, {}, {}});
  core->close();
  EXPECT_TRUE(turn) << "the leader is woken";
  EXPECT_FALSE(core->is_running(*queued->flight));
  EXPECT_EQ(testing::code_thrown([&] { core->take(queued); }), ErrorCode::cancelled);
  EXPECT_EQ(testing::code_thrown([&] { core->take(not_started); }), ErrorCode::cancelled);
  bool woken = false;
  core->start(not_started->flight, [&] { woken = true; });
  EXPECT_TRUE(woken);
  EXPECT_EQ(testing::code_thrown([&] { core->ask({"late", typeid(int), {}, {}, {}}); }), ErrorCode::cancelled);

  // The first one is its loader's: it ends when that publishes, and learns that it was for nothing.
  EXPECT_TRUE(core->is_running(*first->flight));
  core->publish(first->flight, {std::make_shared<int>(1), {}, {}, false});
  EXPECT_EQ(testing::code_thrown([&] { core->take(first); }), ErrorCode::cancelled);
}

TEST(RegistryEndingTest, ClosedTwiceIsClosedOnce) {
  const auto core = RegistryCore::open({});
  core->close();
  core->close();
  EXPECT_EQ(core->try_hold("a", typeid(int)), nullptr);
}

TEST(RegistryEndingTest, ALoadInTheBackgroundIsWaitedForAndMayStillAskForOthers) {
  Life life;
  testing::Latch begun(1);
  testing::Latch may_end(1);
  LoadOptions at_once;
  at_once.timeout = 0ns;
  std::atomic<bool> refused{false};
  std::optional<ModelRegistry> registry(std::in_place);
  try {
    registry->get_or_load<Probe>(
        "a",
        [&, core = registry->core()] {
          begun.count_down();
          may_end.wait();
          try {
            core->ask({"other", typeid(Probe), {}, detail::current_flight(), {}});
          } catch (const Error& error) {
            refused = error.code() == ErrorCode::cancelled;
          }
          return std::make_unique<Probe>(life);
        },
        at_once);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  }
  begun.wait();
  testing::Latch ends(1);
  std::jthread ending([&] {
    ends.count_down();
    registry.reset();
  });
  ends.wait();
  may_end.count_down();
  ending.join();
  EXPECT_EQ(life.made, 1);
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryEndingTest, AListenerHearsTheLastDestruction) {
  Life life;
  EventLog log;
  {
    ModelRegistry registry;
    log.listen_to(registry);
    registry.get_or_load<Probe>("a", probe_loader(life));
  }
  EXPECT_EQ(log.texts().back(), "destroyed a");
  EXPECT_EQ(log.count(RegistryEvent::Kind::evicted, "a"), 1U);
}

TEST(RegistryEndingTest, AModelMayHoldTheRegistryThatIsItsOnlyOwner) {
  // The destructor of a model ends the registry, on the registry's own thread.
  Life life;
  testing::Latch over(1);
  struct Owner {
    Owner(std::shared_ptr<ModelRegistry> owned, testing::Latch& ended) : registry(std::move(owned)), over(ended) {}
    ~Owner() {
      registry.reset();
      over.count_down();
    }
    std::shared_ptr<ModelRegistry> registry;
    testing::Latch& over;
  };
  {
    auto registry = std::make_shared<ModelRegistry>(RegistryConfig{.ttl = 0ns});
    registry->get_or_load<Probe>("other", probe_loader(life));
    auto owner = registry->get_or_load<Owner>(
        "owner", [&] { return std::make_unique<Owner>(std::exchange(registry, nullptr), over); });
  }
  over.wait();
}

TEST(RegistryEndingTest, OpenedAndClosedManyTimesByManyThreads) {
  Life life;
  testing::together(4, [&](std::size_t) {
    for (int round = 0; round < 50; ++round) {
      std::optional<ModelHandle<Probe>> survivor;
      ModelRegistry registry;
      survivor = registry.get_or_load<Probe>("a", probe_loader(life));
    }
  });
  EXPECT_EQ(life.alive, 0);
}

// The slot's part of it, without luck in timing.

TEST(OrphanTest, AHitThatCrossesTheLastReleaseLeavesNothingBehind) {
  Life life;
  const auto core = RegistryCore::open({});
  const auto waiter = core->ask({"a", typeid(Probe), {}, {}, {}});
  core->start(waiter->flight, [] {});
  core->publish(waiter->flight, {std::make_shared<Probe>(life), {}, {}, false});
  detail::ModelSlot* const slot = core->take(waiter);
  slot->add_reference();  // as a bound ModelKey does
  core->close();
  EXPECT_EQ(life.alive, 1);
  // A hit begins, the last hold is released, the hit finds that the model is not to be had.
  slot->word.fetch_add(detail::ModelSlot::kHold + detail::ModelSlot::kAccess);
  slot->release();
  slot->take_back_hold();
  EXPECT_EQ(life.alive, 0);
  slot->drop_reference();
}

TEST(OrphanTest, AHitThatIsAllThatHoldsAModelAtTheEndDestroysIt) {
  for (const std::optional<Duration> ttl : {std::optional<Duration>(30s), std::optional<Duration>()}) {
    Life life;
    const auto core = RegistryCore::open({.ttl = ttl});
    const auto waiter = core->ask({"a", typeid(Probe), {}, {}, {}});
    core->start(waiter->flight, [] {});
    core->publish(waiter->flight, {std::make_shared<Probe>(life), {}, {}, false});
    detail::ModelSlot* const slot = core->take(waiter);
    slot->add_reference();
    slot->word.fetch_add(detail::ModelSlot::kHold + detail::ModelSlot::kAccess);
    slot->release();
    core->close();
    slot->take_back_hold();
    EXPECT_EQ(life.alive, 0);
    slot->drop_reference();
  }
}

}  // namespace
}  // namespace remotemedia
