// SPDX-License-Identifier: Apache-2.0
//
// max_memory_bytes and max_models: who goes for whom, and what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "registry/registry_of_probes.h"
#include "remotemedia/registry/registry_core.h"
#include "testing/latch.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Probe;
using testing::probe_loader;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Kind = RegistryEvent::Kind;
using MemoryBudgetTest = testing::RegistryOfProbesTest;

constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();

TEST_F(MemoryBudgetTest, LruTakesTheModelReleasedLongestAgo) {
  make({.ttl = std::nullopt, .max_models = 3});
  load("a");
  load("b");
  load("c");
  load("a");
  load("d");
  EXPECT_THAT(there(), ElementsAre("a", "c", "d"));
  load("e");
  EXPECT_THAT(there(), ElementsAre("a", "d", "e"));
}

TEST_F(MemoryBudgetTest, LfuTakesTheModelAskedForLeast) {
  make({.ttl = std::nullopt, .max_models = 3, .eviction_policy = EvictionPolicy::lfu});
  for (int i = 0; i < 3; ++i) load("a");
  load("b");
  for (int i = 0; i < 2; ++i) load("c");
  load("d");
  EXPECT_THAT(there(), ElementsAre("a", "c", "d"));
}

TEST_F(MemoryBudgetTest, TtlTakesOnlyWhatHasExpired) {
  make({.ttl = 10s, .max_models = 1, .eviction_policy = EvictionPolicy::ttl});
  load("a");
  for (int attempt = 0; attempt < 2; ++attempt) {
    const OutOfMemory error = refused("b");
    EXPECT_EQ(error.unit, OutOfMemory::Unit::models);
    EXPECT_EQ(error.needed, 1U);
    EXPECT_EQ(error.available, 0U);
    EXPECT_THAT(error.holders, ElementsAre("a"));
  }
  clock_.advance(10s);
  load("b");
  EXPECT_THAT(there(), ElementsAre("b"));
}

TEST_F(MemoryBudgetTest, ManualTakesNobody) {
  make({.ttl = 1s, .max_models = 1, .eviction_policy = EvictionPolicy::manual});
  load("a");
  clock_.advance(1h);
  EXPECT_THAT(refused("b").holders, ElementsAre("a"));
  EXPECT_TRUE(registry_->evict("a"));
  load("b");
}

TEST_F(MemoryBudgetTest, HeldAndPinnedModelsNeverGo) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  const auto held = hold("held", 40);
  load("pinned", 40);
  registry_->pin("pinned");
  load("idle", 20);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const OutOfMemory error = refused("large", 21);
    EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
    EXPECT_EQ(error.unit, OutOfMemory::Unit::bytes);
    EXPECT_EQ(error.needed, 21U);
    EXPECT_EQ(error.available, 20U);
    EXPECT_THAT(error.holders, ElementsAre("held", "pinned"));
    for (const char* part : {"'large'", "21", "20", "'held'", "'pinned'", "max_memory_bytes"}) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
    EXPECT_THAT(there(), ElementsAre("held", "idle", "pinned")) << "nothing goes for what cannot fit";
  }
  EXPECT_EQ(registry_->metrics().evictions, 0U);
  load("fits", 20);
  EXPECT_THAT(there(), ElementsAre("fits", "held", "pinned"));
}

TEST_F(MemoryBudgetTest, ARefusedCallStartedNoLoad) {
  make({.ttl = std::nullopt, .max_models = 1});
  const auto held = hold("held");
  refused("other");
  EXPECT_EQ(registry_->metrics().cache_misses, 1U);
  EXPECT_EQ(registry_->metrics().failed_loads, 0U);
  EXPECT_EQ(log_.count(Kind::load_started, "other"), 0U);
  EXPECT_THAT(there(), ElementsAre("held"));
  EXPECT_EQ(registry_->list_models().size(), 1U);
}

TEST_F(MemoryBudgetTest, WhatIsLargerThanTheBudgetIsRefusedBeforeItsLoaderRuns) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  load("idle", 60);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const OutOfMemory error = refused("large", 101);
    EXPECT_EQ(error.needed, 101U);
    EXPECT_EQ(error.available, 100U);
    EXPECT_THAT(error.holders, IsEmpty());
    EXPECT_THAT(error.what(), HasSubstr("'large'"));
  }
  EXPECT_EQ(refused("huge", kHuge).needed, kHuge);
  EXPECT_EQ(life_.made, 1);
  EXPECT_THAT(there(), ElementsAre("idle"));
  load("whole", 100);
  EXPECT_THAT(there(), ElementsAre("whole"));
}

TEST_F(MemoryBudgetTest, RefusedCallersAllGetTheSameError) {
  make({.ttl = std::nullopt, .max_models = 1});
  const auto held = hold("held");
  testing::together(8, [&](std::size_t) { EXPECT_THAT(refused("other").holders, ElementsAre("held")); });
  EXPECT_EQ(life_.made, 1);
}

TEST_F(MemoryBudgetTest, AnEvictedKeyIsLoadedAgainOnlyWhenItsFormerModelIsGone) {
  make({.ttl = std::nullopt});
  testing::Latch dying(1);
  testing::Latch may_end(1);
  registry_->get_or_load<Probe>("a", probe_loader(life_, [&] {
                                  dying.count_down();
                                  may_end.wait();
                                }));
  EXPECT_TRUE(registry_->evict("a"));
  dying.wait();
  EXPECT_FALSE(registry_->get<Probe>("a").has_value());
  EXPECT_FALSE(registry_->contains("a"));
  testing::Latch turn(1);
  const auto again = registry_->core()->ask({"a", typeid(Probe), {}, {}, {}});
  registry_->core()->start(again->flight, [&] {
    EXPECT_EQ(life_.alive, 0);
    turn.count_down();
  });
  EXPECT_FALSE(turn.try_wait());
  EXPECT_EQ(registry_->list_models().at(0).state, ModelState::evicting);
  may_end.count_down();
  turn.wait();
  registry_->core()->publish(again->flight, {std::make_shared<Probe>(life_), {}, {}, false});
  registry_->core()->take(again)->release();
  EXPECT_EQ(life_.made, 2);
  EXPECT_EQ(life_.most_alive, 1);
}

TEST_F(MemoryBudgetTest, MinResidencyKeepsAModelFromPressureAndFromNothingElse) {
  make({.ttl = std::nullopt, .max_models = 1, .min_residency = 10s});
  load("a");
  clock_.advance(10s - 1ns);
  EXPECT_THAT(refused("b").holders, ElementsAre("a"));
  clock_.advance(1ns);
  load("b");
  EXPECT_TRUE(registry_->evict("b"));
  load("c");
  registry_->get_or_load<Probe>("c", probe_loader(life_), {.keep_alive = 0ns}).release();
  log_.wait_for(Kind::destroyed, "c");
}

TEST_F(MemoryBudgetTest, TwoModelsThatDoNotFitTogetherDoNotChaseEachOther) {
  make({.ttl = std::nullopt, .max_models = 1, .min_residency = 1min});
  int refusals = 0;
  for (int i = 0; i < 120; ++i) {  // each second one of the two is wanted
    try {
      load(i % 2 == 0 ? "a" : "b");
    } catch (const OutOfMemory&) {
      ++refusals;
    }
    clock_.advance(1s);
  }
  EXPECT_LE(life_.made, 3);
  EXPECT_GT(refusals, 50);
}

TEST_F(MemoryBudgetTest, AModelWhoseKeptPointerIsInUseIsNotTakenForRoom) {
  make({.ttl = std::nullopt, .max_models = 1});
  auto kept = std::make_shared<Probe>(life_);
  registry_->get_or_load<Probe>("kept", [&] { return kept; }).release();
  EXPECT_THAT(refused("other").holders, ElementsAre("kept"));
  kept.reset();
  load("other");
  EXPECT_EQ(life_.most_alive, 1);
}

TEST_F(MemoryBudgetTest, BothOfTwoThatComeTogetherFinishWithOnePlace) {
  make({.ttl = std::nullopt, .max_models = 1, .max_concurrent_loads = 2});
  load("a");
  for (int round = 0; round < 50; ++round) {
    testing::together(2, [&](std::size_t i) {
      while (true) {
        try {
          hold(i == 0 ? "b" : "c");
          return;
        } catch (const OutOfMemory&) {  // while the other one holds the place
        }
      }
    });
  }
}

TEST_F(MemoryBudgetTest, RoomThatSeveralMustLeaveIsMadeByAllOrNone) {
  // Ten idle models of which all must go for the large one. A thread asks for them all the time, so that now and
  // then one is held at the last moment: then the load is refused, and the others must still be there.
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  const auto load_small = [&] {
    for (int i = 0; i < 10; ++i) load("small " + std::to_string(i), 10);
  };
  int refusals = 0;
  for (int round = 0; round < 150 || (refusals == 0 && round < 100'000); ++round) {
    load_small();
    const std::uint64_t evictions_before = registry_->metrics().evictions;
    std::atomic<bool> over{false};
    std::jthread asks([&] {
      std::mt19937 random(static_cast<unsigned>(round));
      while (!over) {
        const auto handle = registry_->get<Probe>("small " + std::to_string(random() % 10));
        std::this_thread::yield();
      }
    });
    try {
      hold("large", 100);
      over = true;
      asks.join();
      EXPECT_EQ(registry_->metrics().evictions, evictions_before + 10);
      registry_->clear();
    } catch (const OutOfMemory& error) {
      over = true;
      asks.join();
      ++refusals;
      EXPECT_EQ(registry_->metrics().evictions, evictions_before) << "nothing goes for what cannot fit";
      // One; more where the thread has gone on to the next while it was looked who stands in the way.
      EXPECT_THAT(error.holders, AllOf(Each(StartsWith("small ")), SizeIs(Ge(1))));
    }
  }
  EXPECT_GT(refusals, 0) << "the race that is tested did not happen";
}

TEST_F(MemoryBudgetTest, AModelThatIsThereIsNeverMissedWhileRoomIsMade) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100});
  load("a", 40);
  load("b", 40);
  registry_->pin("b");
  // The large one always needs both and never gets b: a stays, also for those who look at that very moment.
  testing::together(3, [&](std::size_t i) {
    for (int round = 0; round < 2000; ++round) {
      if (i == 0) {
        EXPECT_THROW(hold("large", 100), OutOfMemory);
      } else {
        ASSERT_TRUE(registry_->get<Probe>("a").has_value());
        ASSERT_TRUE(registry_->contains("a"));
      }
    }
  });
}

TEST_F(MemoryBudgetTest, ManyThreadsNeverExceedTheBudget) {
  make({.ttl = std::nullopt, .max_memory_bytes = 100, .max_models = 6, .max_concurrent_loads = 3});
  // Each model counts itself from the first moment of its loader to the last of its destructor.
  std::atomic<std::size_t> bytes_alive{0};
  std::atomic<std::size_t> models_alive{0};
  std::atomic<bool> exceeded{false};
  const auto watch = [&] {
    if (bytes_alive > 100 || models_alive > 6) exceeded = true;
  };
  struct Counted {
    Counted(std::function<void()> end) : on_end(std::move(end)) {}
    ~Counted() { on_end(); }
    std::function<void()> on_end;
  };
  std::atomic<int> served{0};
  std::atomic<int> refusals{0};
  testing::together(6, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i < 300; ++i) {
      const std::size_t size = 10 * (1 + random() % 5);
      LoadOptions options;
      options.memory_bytes = size;
      try {
        const auto handle = registry_->get_or_load<Counted>(
            std::to_string(random() % 12) + "/" + std::to_string(size),
            [&] {
              bytes_alive += size;
              ++models_alive;
              watch();
              std::this_thread::yield();
              return std::make_unique<Counted>([&bytes_alive, &models_alive, size] {
                bytes_alive -= size;
                --models_alive;
              });
            },
            options);
        ++served;
        if (random() % 4 == 0) std::this_thread::yield();
      } catch (const OutOfMemory&) {
        ++refusals;
      }
      const RegistryMetrics metrics = registry_->metrics();
      EXPECT_LE(metrics.total_memory_bytes, 100U);
      EXPECT_LE(metrics.total_models, 6U);
    }
  });
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(served + refusals, 1800);
  EXPECT_GT(served, 0);
  registry_->clear();
  EXPECT_EQ(bytes_alive, 0U);
  EXPECT_EQ(bytes(), 0U);
}

}  // namespace
}  // namespace remotemedia
