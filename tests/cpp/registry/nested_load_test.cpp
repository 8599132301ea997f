// SPDX-License-Identifier: Apache-2.0
//
// Loaders that ask for models themselves: served for another key, an error for a ring.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/running_count.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using testing::RunningCount;

/// A model that holds the models it is made of.
struct Composite {
  std::vector<ModelHandle<Composite>> parts;
};
using Loader = std::function<std::unique_ptr<Composite>()>;

Loader simple() {
  return [] { return std::make_unique<Composite>(); };
}

/// A loader that asks for `key` first.
Loader needs(ModelRegistry& registry, const std::string& key, Loader load) {
  return [&registry, key, load = std::move(load)] {
    auto composite = std::make_unique<Composite>();
    composite->parts.push_back(registry.get_or_load<Composite>(key, load));
    return composite;
  };
}

TEST(NestedLoadTest, ALoaderThatAsksForItsOwnKeyGetsAnError) {
  ModelRegistry registry;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto error =
        testing::thrown_by([&] { registry.get_or_load<Composite>("a", needs(registry, "a", simple())); });
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(error); }), ErrorCode::load_failed);
    EXPECT_THAT(testing::chain_of(error), HasSubstr("'a' -> 'a'"));
  }
  EXPECT_TRUE(registry.list_models().empty());
  EXPECT_TRUE(registry.get_or_load<Composite>("a", simple()));
}

TEST(NestedLoadTest, ALoaderMayCatchThatErrorAndGoOn) {
  ModelRegistry registry;
  const auto handle = registry.get_or_load<Composite>("a", [&] {
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_EQ(testing::code_thrown([&] { registry.get_or_load<Composite>("a", simple()); }), ErrorCode::load_failed);
    }
    return std::make_unique<Composite>();
  });
  EXPECT_TRUE(handle);
}

TEST(NestedLoadTest, ARingOfTwoOnOneThreadIsAnErrorThatNamesIt) {
  ModelRegistry registry;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto error = testing::thrown_by(
        [&] { registry.get_or_load<Composite>("a", needs(registry, "b", needs(registry, "a", simple()))); });
    EXPECT_THAT(testing::chain_of(error), HasSubstr("'b' -> 'a' -> 'b'"));
  }
  EXPECT_TRUE(registry.list_models().empty());
  EXPECT_TRUE(registry.get_or_load<Composite>("b", needs(registry, "a", simple())));
}

/// Every one of `keys` is loaded by a thread of its own and needs the next one; all run before the first asks.
void expect_ring_error(const std::vector<ModelRegistry*>& registries, const std::vector<std::string>& keys) {
  const std::size_t count = keys.size();
  testing::Latch all_run(static_cast<std::ptrdiff_t>(count));
  std::atomic<int> failed{0};
  testing::together(count, [&](std::size_t i) {
    const std::size_t next = (i + 1) % count;
    const auto error = testing::thrown_by([&] {
      registries[i]->get_or_load<Composite>(keys[i], [&] {
        all_run.arrive_and_wait();
        auto composite = std::make_unique<Composite>();
        composite->parts.push_back(registries[next]->get_or_load<Composite>(keys[next], simple()));
        return composite;
      });
    });
    if (testing::chain_of(error).find(" -> ") != std::string::npos) ++failed;
  });
  EXPECT_EQ(failed, static_cast<int>(count)) << "each of them learns of the ring: one directly, the others by it";
  for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(registries[i]->get_or_load<Composite>(keys[i], simple()));
}

TEST(NestedLoadTest, ARingAcrossTwoThreadsIsAnError) {
  ModelRegistry registry{{.max_concurrent_loads = 2}};
  expect_ring_error({&registry, &registry}, {"a", "b"});
}

TEST(NestedLoadTest, ARingAcrossFiveThreadsIsAnError) {
  ModelRegistry registry{{.max_concurrent_loads = 5}};
  expect_ring_error({&registry, &registry, &registry, &registry, &registry}, {"a", "b", "c", "d", "e"});
}

TEST(NestedLoadTest, ARingAcrossTwoRegistriesIsAnError) {
  ModelRegistry first;
  ModelRegistry second;
  expect_ring_error({&first, &second}, {"a", "b"});
}

TEST(NestedLoadTest, ARingAcrossThreeRegistriesWithTheSameKeyIsAnError) {
  ModelRegistry first;
  ModelRegistry second;
  ModelRegistry third;
  expect_ring_error({&first, &second, &third}, {"a", "a", "a"});
}

TEST(NestedLoadTest, TheSameKeyOfAnotherRegistryIsNoRing) {
  ModelRegistry first;
  ModelRegistry second;
  EXPECT_TRUE(first.get_or_load<Composite>("a", needs(second, "a", simple())));
}

TEST(NestedLoadTest, OneAtATimeIsEnoughForLoadersWithinLoaders) {
  ModelRegistry registry{{.max_concurrent_loads = 1}};
  Loader load = simple();
  for (int depth = 20; depth-- > 0;) load = needs(registry, "level " + std::to_string(depth), load);
  const auto handle = registry.get_or_load<Composite>("top", load);
  EXPECT_EQ(registry.list_models().size(), 21U);
  EXPECT_EQ(registry.metrics().loads, 21U);
}

TEST(NestedLoadTest, AKeyThatAnotherThreadHasQueuedIsLoadedForTheLoaderThatNeedsIt) {
  ModelRegistry registry{{.max_concurrent_loads = 1}};
  testing::Latch outer_runs(1);
  testing::Latch inner_is_queued(1);
  std::jthread outer([&] {
    registry.get_or_load<Composite>("outer", [&] {
      outer_runs.count_down();
      inner_is_queued.wait();
      return needs(registry, "inner", simple())();
    });
  });
  outer_runs.wait();
  std::jthread inner([&] { registry.get_or_load<Composite>("inner", simple()); });
  while (registry.list_models().size() < 2) std::this_thread::yield();
  inner_is_queued.count_down();
  inner.join();
  outer.join();
  EXPECT_EQ(registry.metrics().loads, 2U);
}

TEST(NestedLoadTest, TwoParentsShareOnePartWithOneLoadAtATime) {
  for (int round = 0; round < 50; ++round) {
    ModelRegistry registry{{.max_concurrent_loads = 1}};
    RunningCount running;
    std::atomic<int> parts{0};
    testing::together(2, [&](std::size_t i) {
      const auto handle = registry.get_or_load<Composite>("parent " + std::to_string(i), [&] {
        auto composite = std::make_unique<Composite>();
        { RunningCount::Scope here(running); }
        composite->parts.push_back(registry.get_or_load<Composite>("part", [&] {
          RunningCount::Scope here(running);
          ++parts;
          return std::make_unique<Composite>();
        }));
        RunningCount::Scope here(running);
        return composite;
      });
      EXPECT_EQ(handle->parts.size(), 1U);
    });
    EXPECT_EQ(parts, 1);
    EXPECT_EQ(running.most(), 1);
  }
}

TEST(NestedLoadTest, AFailingPartFailsItsParentWithTheWholeChain) {
  ModelRegistry registry;
  const Loader broken = []() -> std::unique_ptr<Composite> { throw std::runtime_error("bad weights"); };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto error = testing::thrown_by(
        [&] { registry.get_or_load<Composite>("outer", needs(registry, "middle", needs(registry, "inner", broken))); });
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(error); }), ErrorCode::load_failed);
    const std::string chain = testing::chain_of(error);
    for (const char* part : {"'outer'", "'middle'", "'inner'", "<- bad weights"}) EXPECT_THAT(chain, HasSubstr(part));
  }
  EXPECT_TRUE(registry.list_models().empty());
  EXPECT_EQ(registry.metrics().failed_loads, 6U);
}

TEST(NestedLoadTest, AWayThroughAnotherRegistryNeedsNoSecondPlaceInTheFirst) {
  // a of the first waits for b of the second, which waits for c of the first: with one load at a time in each, c
  // can only run if a, which waits, does not count.
  ModelRegistry first{{.max_concurrent_loads = 1}};
  ModelRegistry second{{.max_concurrent_loads = 1}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_TRUE(first.get_or_load<Composite>("a", needs(second, "b", needs(first, "c", simple()))));
    first.clear();
    second.clear();
    first.clear();
  }
}

TEST(NestedLoadTest, LoadersThatCrossTwoRegistriesNeverExceedTheLimitOfEither) {
  for (int round = 0; round < 30; ++round) {
    ModelRegistry first{{.max_concurrent_loads = 1}};
    ModelRegistry second{{.max_concurrent_loads = 1}};
    ModelRegistry* const registries[] = {&first, &second};
    RunningCount running[2];
    testing::together(6, [&](std::size_t i) {
      const std::size_t here = i % 2;
      const std::size_t there = 1 - here;
      registries[here]->get_or_load<Composite>("outer " + std::to_string(i), [&] {
        { RunningCount::Scope scope(running[here]); }
        auto composite = std::make_unique<Composite>();
        composite->parts.push_back(registries[there]->get_or_load<Composite>("inner " + std::to_string(i), [&] {
          RunningCount::Scope scope(running[there]);
          return std::make_unique<Composite>();
        }));
        RunningCount::Scope scope(running[here]);
        std::this_thread::yield();
        return composite;
      });
    });
    EXPECT_EQ(running[0].most(), 1) << "in round " << round;
    EXPECT_EQ(running[1].most(), 1) << "in round " << round;
  }
}

TEST(NestedLoadTest, ACallOfALoaderMayTimeOutAndTheLoaderGoesOn) {
  ManualClock clock;
  ModelRegistry registry{{.max_concurrent_loads = 1, .clock = &clock}};
  Life life;
  testing::Latch may_end(1);
  LoadOptions at_once;
  at_once.timeout = 0ns;
  const auto outer = registry.get_or_load<Composite>("outer", [&] {
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_EQ(testing::code_thrown([&] {
                  registry.get_or_load<Probe>(
                      "slow", [&life, &may_end] { return may_end.wait(), std::make_unique<Probe>(life); }, at_once);
                }),
                ErrorCode::deadline_exceeded);
    }
    return std::make_unique<Composite>();
  });
  EXPECT_TRUE(outer);
  may_end.count_down();
  EXPECT_TRUE(registry.get_or_load<Probe>("slow", probe_loader(life)));
  EXPECT_EQ(life.made, 1);
}

TEST(NestedLoadTest, AfterATimeoutInsideALoaderTheLimitHoldsAgain) {
  ManualClock clock;
  ModelRegistry registry{{.max_concurrent_loads = 1, .clock = &clock}};
  LoadOptions at_once;
  at_once.timeout = 0ns;
  registry.get_or_load<Composite>("outer", [&] {
    try {
      registry.get_or_load<Composite>("inner", simple(), at_once);
    } catch (const Error&) {
    }
    return std::make_unique<Composite>();
  });
  registry.get_or_load<Composite>("inner", simple()).release();
  RunningCount running;
  testing::together(8, [&](std::size_t i) {
    registry.get_or_load<Composite>(std::to_string(i), [&] {
      RunningCount::Scope here(running);
      std::this_thread::yield();
      return std::make_unique<Composite>();
    });
  });
  EXPECT_EQ(running.most(), 1);
}

TEST(NestedLoadTest, ManyThreadsLoadAWebOfModelsAndNoLimitIsExceeded) {
  // Key i needs some keys above i, so there is no ring.
  for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    for (unsigned round = 0; round < 15; ++round) {
      constexpr int kKeys = 12;
      ModelRegistry registry{{.max_concurrent_loads = limit}};
      RunningCount running;
      std::function<std::unique_ptr<Composite>(int)> load = [&](int key) {
        std::mt19937 random(round * 1000 + static_cast<unsigned>(key));
        auto composite = std::make_unique<Composite>();
        for (int needed = key + 1; needed < kKeys; ++needed) {
          if (random() % 3 != 0) continue;
          composite->parts.push_back(
              registry.get_or_load<Composite>(std::to_string(needed), [&, needed] { return load(needed); }));
          RunningCount::Scope here(running);
          std::this_thread::yield();
        }
        RunningCount::Scope here(running);
        return composite;
      };
      testing::together(6, [&](std::size_t i) {
        std::mt19937 random(round * 77 + static_cast<unsigned>(i));
        for (int n = 0; n < 4; ++n) {
          const int key = static_cast<int>(random() % kKeys);
          registry.get_or_load<Composite>(std::to_string(key), [&, key] { return load(key); });
        }
      });
      EXPECT_LE(running.most(), static_cast<int>(limit));
      const RegistryMetrics metrics = registry.metrics();
      EXPECT_EQ(metrics.loads, registry.list_models().size()) << "no key was loaded twice";
      EXPECT_EQ(metrics.failed_loads, 0U);
    }
  }
}

TEST(NestedLoadTest, RandomWebsWithRingsEndInErrorsAndNeverHang) {
  for (unsigned round = 0; round < 40; ++round) {
    constexpr int kKeys = 5;
    ModelRegistry registry{{.max_concurrent_loads = 1 + round % 3}};
    std::function<std::unique_ptr<Composite>(int)> load = [&](int key) {
      std::mt19937 random(round * 1000 + static_cast<unsigned>(key));
      auto composite = std::make_unique<Composite>();
      for (int n = 0; n < 2; ++n) {
        const int needed = static_cast<int>(random() % kKeys);
        composite->parts.push_back(
            registry.get_or_load<Composite>(std::to_string(needed), [&, needed] { return load(needed); }));
      }
      return composite;
    };
    testing::together(5, [&](std::size_t i) {
      const int key = static_cast<int>(i);
      EXPECT_THAT(testing::chain_of(testing::thrown_by(
                      [&] { registry.get_or_load<Composite>(std::to_string(key), [&, key] { return load(key); }); })),
                  HasSubstr(" -> "));
    });
    EXPECT_TRUE(registry.list_models().empty()) << "every model of such a web is in a ring or needs one";
  }
}

}  // namespace
}  // namespace remotemedia
