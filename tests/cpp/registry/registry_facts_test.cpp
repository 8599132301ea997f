// SPDX-License-Identifier: Apache-2.0
//
// What a ModelRegistry promises, fact by fact, as its users see it.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/registry/model_registry.h"
#include "testing/event_log.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia::testing {
namespace {

using namespace std::chrono_literals;
using Kind = RegistryEvent::Kind;

RegistryConfig for_ever() {
  RegistryConfig config;
  config.ttl = std::nullopt;
  return config;
}

void load_and_release(ModelRegistry& registry, Life& life, std::string_view key, std::size_t bytes = 0) {
  registry.get_or_load<Probe>(key, probe_loader(life), {.memory_bytes = bytes});
}

std::vector<std::string> ready_keys(const ModelRegistry& registry) {
  std::vector<std::string> keys;
  for (const ModelInfo& info : registry.list_models()) {
    if (info.state == ModelState::ready) keys.push_back(info.key);
  }
  return keys;
}

TEST(RegistryFacts, SixtyFourThreadsShareOneLoad) {
  Life life;
  ModelRegistry registry{for_ever()};
  std::vector<ModelHandle<Probe>> handles(64);
  std::vector<std::thread> threads;
  std::latch begin{64};
  for (auto& handle : handles) {
    threads.emplace_back([&] {
      begin.arrive_and_wait();
      handle = registry.get_or_load<Probe>("m", probe_loader(life));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(life.made, 1);
  for (const auto& handle : handles) EXPECT_EQ(&*handle, &*handles[0]);
  const RegistryMetrics metrics = registry.metrics();
  EXPECT_EQ(metrics.loads, 1U);
  EXPECT_EQ(metrics.cache_misses, 1U);
  EXPECT_EQ(metrics.cache_hits, 63U);
  EXPECT_EQ(registry.list_models().at(0).reference_count, 64U);
}

TEST(RegistryFacts, AFailedLoadGivesAllTheSameErrorAndTheNextCallTriesAgain) {
  ModelRegistry registry{for_ever()};
  std::atomic<int> calls{0};
  const auto broken = [&]() -> std::unique_ptr<int> {
    ++calls;
    throw std::runtime_error("no such file");
  };
  for (int time = 1; time <= 2; ++time) {
    const auto error = thrown_by([&] { registry.get_or_load<int>("m", broken); });
    EXPECT_EQ(chain_of(error), "loading 'm' failed: no such file <- no such file");
    EXPECT_EQ(calls, time);
  }
  EXPECT_TRUE(registry.list_models().empty());
  EXPECT_EQ(*registry.get_or_load<int>("m", [] { return std::make_unique<int>(7); }), 7);
}

TEST(RegistryFacts, ACallerWhoseTimeoutPassesLeavesAndTheLoadIsKept) {
  Life life;
  EventLog log;
  ModelRegistry registry{for_ever()};
  log.listen_to(registry);
  auto gate = std::make_shared<std::binary_semaphore>(0);
  const auto gated = [&life, gate] {
    gate->acquire();
    return std::make_unique<Probe>(life);
  };
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { registry.get_or_load<Probe>("m", gated, {.timeout = 1ms}); }),
              ErrorCode::deadline_exceeded);
  }
  gate->release();
  log.wait_for(Kind::loaded, "m");
  EXPECT_EQ(registry.list_models().at(0).reference_count, 0U);
  registry.get_or_load<Probe>("m", gated);
  EXPECT_EQ(life.made, 1);
}

TEST(RegistryFacts, LoadersThatWouldWaitForEachOtherInARingGetAnError) {
  ModelRegistry registry{for_ever()};
  const std::function<std::unique_ptr<int>()> a = [&] {
    return std::make_unique<int>(*registry.get_or_load<int>("b", [&] {
      return std::make_unique<int>(*registry.get_or_load<int>("a", [] { return std::make_unique<int>(1); }));
    }));
  };
  for (int time = 0; time < 2; ++time) {
    const auto error = thrown_by([&] { registry.get_or_load<int>("a", a); });
    EXPECT_NE(chain_of(error).find("'a' -> 'b'"), std::string::npos) << chain_of(error);
  }
  EXPECT_EQ(
      code_thrown([&] {
        registry.get_or_load<int>("own", [&] {
          return std::make_unique<int>(*registry.get_or_load<int>("own", [] { return std::make_unique<int>(1); }));
        });
      }),
      ErrorCode::load_failed);
}

TEST(RegistryFacts, ALoaderThatAsksForAnotherKeyIsServedWithOneLoadAtATime) {
  ModelRegistry registry{for_ever()};
  const auto outer = registry.get_or_load<int>("outer", [&] {
    const auto inner = registry.get_or_load<int>("inner", [] { return std::make_unique<int>(20); });
    return std::make_unique<int>(*inner + 1);
  });
  EXPECT_EQ(*outer, 21);
}

TEST(RegistryFacts, NoMoreLoadersRunThanAllowedWhileParentsResume) {
  RegistryConfig config = for_ever();
  config.max_concurrent_loads = 2;
  ModelRegistry registry{config};
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  const auto count = [&] {
    const int now = ++running;
    int before = most;
    while (before < now && !most.compare_exchange_weak(before, now)) {
    }
    --running;
  };
  together(8, [&](std::size_t thread) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = std::to_string(thread) + "/" + std::to_string(i);
      registry.get_or_load<int>(key, [&] {
        count();
        registry.get_or_load<int>("shared" + std::to_string(i), [&] {
          count();
          return std::make_unique<int>(1);
        });
        count();
        return std::make_unique<int>(2);
      });
    }
  });
  EXPECT_LE(most, 2);
}

TEST(RegistryFacts, NoLockIsHeldWhileALoaderADestructorOrAListenerRuns) {
  Life life;
  EventLog log;
  ModelRegistry registry{for_ever()};
  log.listen_to(registry);
  std::atomic<int> heard{0};
  registry.subscribe([&](const RegistryEvent&) {
    registry.list_models();
    ++heard;
  });
  registry.get_or_load<Probe>("m", [&] {
    EXPECT_EQ(registry.list_models().at(0).state, ModelState::loading);
    EXPECT_FALSE(registry.evict("m"));
    return std::make_unique<Probe>(life, [&] {
      registry.list_models();
      registry.metrics();
      registry.evict("m");
    });
  });
  registry.evict("m");
  log.wait_for(Kind::destroyed, "m");
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryFacts, TheModelIsDestroyedOnTheRegistrysThread) {
  Life life;
  RegistryConfig config;
  config.ttl = 0ms;
  EventLog log;
  ModelRegistry registry{config};
  log.listen_to(registry);
  registry.get_or_load<Probe>("m", probe_loader(life));
  log.wait_for(Kind::destroyed, "m");
  EXPECT_NE(life.ended_on.load(), std::this_thread::get_id());
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryFacts, HandlesOutliveTheirRegistry) {
  Life life;
  std::optional<ModelRegistry> registry{std::in_place, for_ever()};
  auto first = registry->get_or_load<Probe>("m", probe_loader(life));
  registry.reset();
  EXPECT_EQ(life.alive, 1);
  auto second = first;
  first.release();
  EXPECT_EQ(life.alive, 1);
  EXPECT_EQ(second.key(), "m");
  second.release();
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryFacts, HandlesAreReleasedByManyThreadsWhileTheRegistryGoes) {
  for (int round = 0; round < 200; ++round) {
    Life life;
    RegistryConfig config = for_ever();
    if (round % 2 == 0) config.ttl = 0ms;
    std::optional<ModelRegistry> registry{std::in_place, config};
    std::vector<ModelHandle<Probe>> handles;
    for (int i = 0; i < 3; ++i) handles.push_back(registry->get_or_load<Probe>("m", probe_loader(life)));
    std::latch begin{4};
    std::vector<std::thread> threads;
    for (auto& handle : handles) {
      threads.emplace_back([&begin, &handle] {
        begin.arrive_and_wait();
        handle.release();
      });
    }
    begin.arrive_and_wait();
    registry.reset();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(life.alive, 0);
  }
}

TEST(RegistryFacts, AReleasedHandleSaysSo) {
  Life life;
  ModelRegistry registry{for_ever()};
  auto handle = registry.get_or_load<Probe>("m", probe_loader(life));
  handle.release();
  handle.release();
  EXPECT_FALSE(handle);
  for (int time = 0; time < 2; ++time) EXPECT_EQ(code_thrown([&] { *handle; }), ErrorCode::invalid_argument);
}

TEST(RegistryFacts, TtlCountsExactlyFromTheLastRelease) {
  Life life;
  ManualClock clock;
  EventLog log;
  RegistryConfig config;
  config.ttl = 30s;
  config.clock = &clock;
  ModelRegistry registry{config};
  log.listen_to(registry);
  {
    auto handle = registry.get_or_load<Probe>("m", probe_loader(life));
    clock.advance(1h);
    EXPECT_EQ(registry.evict_expired().count, 0U);
  }
  EXPECT_EQ(registry.list_models().at(0).expires_in, 30s);
  clock.advance(30s - 1ns);
  EXPECT_EQ(registry.evict_expired().count, 0U);
  EXPECT_TRUE(registry.contains("m"));
  clock.advance(1ns);
  log.wait_for(Kind::destroyed, "m");  // by the registry's own thread
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryFacts, LruTakesTheModelReleasedLongestAgoEvenWhenNoTimeHasPassed) {
  Life life;
  ManualClock clock;
  RegistryConfig config = for_ever();
  config.max_models = 2;
  config.clock = &clock;
  ModelRegistry registry{config};
  for (const char* key : {"a", "b", "a", "c"}) load_and_release(registry, life, key);
  EXPECT_EQ(ready_keys(registry), (std::vector<std::string>{"a", "c"}));
}

TEST(RegistryFacts, LruIsExactOnTheMachinesClock) {
  Life life;
  RegistryConfig config = for_ever();
  config.max_models = 2;
  ModelRegistry registry{config};
  for (const char* key : {"a", "b", "a", "c", "a", "d"}) load_and_release(registry, life, key);
  EXPECT_EQ(ready_keys(registry), (std::vector<std::string>{"a", "d"}));
}

TEST(RegistryFacts, WhatCannotFitIsRefusedAndEvictsNothing) {
  Life life;
  RegistryConfig config = for_ever();
  config.max_memory_bytes = 100;
  ModelRegistry registry{config};
  load_and_release(registry, life, "idle", 30);
  const auto held = registry.get_or_load<Probe>("held", probe_loader(life), {.memory_bytes = 60});
  for (int time = 0; time < 2; ++time) {
    const OutOfMemory refused = thrown<OutOfMemory>([&] { load_and_release(registry, life, "new", 50); });
    EXPECT_EQ(refused.needed, 50U);
    EXPECT_EQ(refused.available, 40U);
    EXPECT_EQ(refused.holders, std::vector<std::string>{"held"});
  }
  EXPECT_EQ(life.made, 2);
  EXPECT_EQ(ready_keys(registry), (std::vector<std::string>{"held", "idle"}));
}

TEST(RegistryFacts, BytesCountUntilTheDestructorHasReturned) {
  Life life;
  EventLog log;
  std::binary_semaphore may_end{0};
  RegistryConfig config = for_ever();
  config.max_memory_bytes = 100;
  ModelRegistry registry{config};
  log.listen_to(registry);
  registry.get_or_load<Probe>("old", probe_loader(life, [&] { may_end.acquire(); }), {.memory_bytes = 80});
  std::thread loads_new{[&] { load_and_release(registry, life, "new", 80); }};
  while (registry.metrics().evictions == 0) std::this_thread::yield();
  EXPECT_EQ(registry.metrics().total_memory_bytes, 80U);
  EXPECT_EQ(log.count(Kind::load_started, "new"), 0U);
  EXPECT_EQ(code_thrown([&] { registry.clear(1ms); }), ErrorCode::deadline_exceeded);
  may_end.release();
  loads_new.join();
  EXPECT_EQ(registry.metrics().total_memory_bytes, 80U);
  EXPECT_LE(life.most_alive, 1);
}

TEST(RegistryFacts, WaitersHoldTheModelBeforeAnybodyCanEvictIt) {
  RegistryConfig config;
  config.ttl = 0ms;
  config.max_models = 1;
  ModelRegistry registry{config};
  std::atomic<int> refused{0};
  together(4, [&](std::size_t thread) {
    for (int i = 0; i < 500; ++i) {
      const std::string key = (thread % 2 == 0) == (i % 2 == 0) ? "a" : "b";
      try {
        const auto handle = registry.get_or_load<std::string>(key, [&] { return std::make_unique<std::string>(key); });
        ASSERT_EQ(*handle, key);
      } catch (const OutOfMemory&) {
        ++refused;
      }
    }
  });
  registry.clear();
  EXPECT_EQ(registry.metrics().total_models, 0U);
}

TEST(RegistryFacts, ASharedPtrThatSomebodyKeepsIsAHold) {
  RegistryConfig config = for_ever();
  config.max_models = 1;
  ModelRegistry registry{config};
  auto kept = std::make_shared<int>(1);
  registry.get_or_load<int>("kept", [&] { return kept; });
  EXPECT_FALSE(registry.evict("kept"));
  EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("other", [] { return std::make_unique<int>(2); }); }),
            ErrorCode::out_of_memory);
  EXPECT_EQ(&*registry.get_or_load<int>("kept", [] { return std::make_unique<int>(3); }), kept.get());
  kept.reset();
  EXPECT_TRUE(registry.evict("kept"));
}

TEST(RegistryFacts, APinnedModelGoesOnlyByClear) {
  Life life;
  ManualClock clock;
  RegistryConfig config;
  config.ttl = 1s;
  config.clock = &clock;
  ModelRegistry registry{config};
  EXPECT_EQ(code_thrown([&] { registry.pin("m"); }), ErrorCode::model_not_found);
  load_and_release(registry, life, "m");
  registry.pin("m");
  clock.advance(1h);
  EXPECT_EQ(registry.evict_expired().count, 0U);
  EXPECT_FALSE(registry.evict("m"));
  registry.clear();
  EXPECT_EQ(life.alive, 0);
}

TEST(RegistryFacts, AFailureIsRememberedForExactlyFailedLoadTtl) {
  ManualClock clock;
  RegistryConfig config = for_ever();
  config.failed_load_ttl = 10s;
  config.clock = &clock;
  ModelRegistry registry{config};
  int calls = 0;
  const auto broken = [&]() -> std::unique_ptr<int> {
    ++calls;
    throw std::runtime_error("broken");
  };
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("m", broken); }), ErrorCode::load_failed);
    EXPECT_EQ(registry.list_models().at(0).state, ModelState::failed);
  }
  EXPECT_EQ(calls, 1);
  clock.advance(10s);
  EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("m", broken); }), ErrorCode::load_failed);
  EXPECT_EQ(calls, 2);
}

TEST(RegistryFacts, AnotherTypeIsRefusedWithBothNames) {
  ModelRegistry registry{for_ever()};
  const auto held = registry.get_or_load<int>("m", [] { return std::make_unique<int>(1); });
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown([&] { registry.get_or_load<double>("m", [] { return std::make_unique<double>(1); }); });
    EXPECT_EQ(error.code(), ErrorCode::type_mismatch);
    EXPECT_NE(std::string(error.what()).find("int"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("double"), std::string::npos);
  }
  EXPECT_EQ(registry.list_models().at(0).reference_count, 1U);
}

TEST(RegistryFacts, HitsAreCountedExactlyUnderManyThreads) {
  ModelRegistry registry{for_ever()};
  const auto load = [] { return std::make_unique<int>(1); };
  registry.get_or_load<int>("m", load);
  together(16, [&](std::size_t) {
    for (int i = 0; i < 2'000; ++i) registry.get_or_load<int>("m", load);
  });
  EXPECT_EQ(registry.metrics().cache_hits, 32'000U);
  EXPECT_EQ(registry.list_models().at(0).access_count, 32'001U);
  registry.clear();
  EXPECT_EQ(registry.metrics().cache_hits, 32'000U);
}

TEST(RegistryFacts, EventsComeInTheOrderInWhichThingsHappen) {
  Life life;
  EventLog log;
  ModelRegistry registry{for_ever()};
  log.listen_to(registry);
  load_and_release(registry, life, "m");
  load_and_release(registry, life, "m");
  registry.evict("m");
  log.wait_for(Kind::destroyed, "m");
  EXPECT_EQ(log.texts(), (std::vector<std::string>{"load_started m", "loaded m", "released m", "hit m", "released m",
                                                   "evicted m", "destroyed m"}));
}

TEST(RegistryFacts, AModelThatMeasuresLargerThanTheBudgetIsRefusedAndDestroyed) {
  Life life;
  RegistryConfig config = for_ever();
  config.max_memory_bytes = 100;
  ModelRegistry registry{config};
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] {
                registry.get_or_load<SizedProbe>("m", [&] { return std::make_unique<SizedProbe>(life, 101); });
              }),
              ErrorCode::out_of_memory);
  }
  registry.clear();
  EXPECT_EQ(life.alive, 0);
  EXPECT_EQ(registry.metrics().total_memory_bytes, 0U);
}

TEST(RegistryFacts, ModelsThatHoldOtherModelsAreClearedWithThem) {
  ModelRegistry registry{for_ever()};
  struct Outer {
    ModelHandle<int> inner;
  };
  registry.get_or_load<Outer>("outer", [&] {
    return std::make_unique<Outer>(Outer{registry.get_or_load<int>("inner", [] { return std::make_unique<int>(1); })});
  });
  registry.clear();
  EXPECT_TRUE(registry.list_models().empty());
}

TEST(RegistryFacts, BadInputIsRefusedAndChangesNothing) {
  ModelRegistry registry{for_ever()};
  const auto load = [] { return std::make_unique<int>(1); };
  EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("", load); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("m", load, {.timeout = -1s}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_thrown([&] { registry.get_or_load<int>("m", [] { return std::unique_ptr<int>(); }); }),
            ErrorCode::load_failed);
  EXPECT_EQ(code_thrown([&] { registry.subscribe(nullptr); }), ErrorCode::invalid_argument);
  EXPECT_TRUE(registry.list_models().empty());
  for (const auto& spoil : {+[](RegistryConfig& config) { config.max_models = 0; },
                            +[](RegistryConfig& config) { config.max_concurrent_loads = 0; },
                            +[](RegistryConfig& config) { config.cleanup_interval = 0s; },
                            +[](RegistryConfig& config) { config.min_residency = -1s; },
                            +[](RegistryConfig& config) { config.failed_load_ttl = -1s; }}) {
    RegistryConfig config;
    spoil(config);
    EXPECT_EQ(code_thrown([&] { const ModelRegistry refused{config}; }), ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace remotemedia::testing
