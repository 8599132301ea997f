// SPDX-License-Identifier: Apache-2.0
//
// list_models() and metrics(): what is there, who holds it, and how often what happened.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

using WallTime = std::chrono::system_clock::time_point;

class IntrospectionTest : public ::testing::Test {
 protected:
  void make(RegistryConfig config) {
    config.clock = &clock_;
    registry_.emplace(config);
  }
  ModelHandle<Probe> hold(const std::string& key, LoadOptions options = {}) {
    return registry_->get_or_load<Probe>(key, probe_loader(life_), options);
  }
  ModelInfo info(std::size_t i = 0) const { return registry_->list_models().at(i); }

  Life life_;
  ManualClock clock_;
  std::optional<ModelRegistry> registry_;
};

TEST_F(IntrospectionTest, AnEmptyRegistryHasNothingToTell) {
  make({});
  EXPECT_TRUE(registry_->list_models().empty());
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.total_models, 0U);
  EXPECT_EQ(metrics.total_memory_bytes, 0U);
  EXPECT_EQ(metrics.hit_rate(), 0.0);
}

TEST_F(IntrospectionTest, AModelIsListedFromLoadingUntilItsMemoryIsReleased) {
  make({.ttl = std::nullopt, .max_concurrent_loads = 2});
  testing::Latch begun(1);
  testing::Latch may_load(1);
  testing::Latch dying(1);
  testing::Latch may_die(1);
  LoadOptions options;
  options.memory_bytes = 100;
  options.device = "cuda:0";
  std::jthread loads([&] {
    registry_->get_or_load<Probe>(
        "a",
        [&] {
          begun.count_down();
          may_load.wait();
          return std::make_unique<Probe>(life_, [&] {
            dying.count_down();
            may_die.wait();
          });
        },
        options);
  });
  begun.wait();
  EXPECT_EQ(info().state, ModelState::loading);
  EXPECT_EQ(info().device, "cuda:0");
  EXPECT_EQ(info().memory_bytes, 100U);
  EXPECT_EQ(info().model_id, "a");
  EXPECT_EQ(info().reference_count, 0U);
  EXPECT_EQ(info().loaded_at, WallTime{});
  may_load.count_down();
  loads.join();
  EXPECT_EQ(info().state, ModelState::ready);
  EXPECT_EQ(info().device, "cuda:0");
  registry_->evict("a");
  dying.wait();
  EXPECT_EQ(info().state, ModelState::evicting);
  EXPECT_EQ(info().memory_bytes, 100U);
  EXPECT_EQ(info().reference_count, 0U);
  may_die.count_down();
  registry_->clear();
  EXPECT_TRUE(registry_->list_models().empty());
}

TEST_F(IntrospectionTest, ALoadInTheQueueIsListedAsLoading) {
  make({.max_concurrent_loads = 1});
  const auto first = registry_->core()->ask({"b", typeid(Probe), {}, {}, {}});
  registry_->core()->start(first->flight, [] {});
  const auto queued = registry_->core()->ask({"a", typeid(Probe), {}, {}, {}});
  registry_->core()->start(queued->flight, [] {});
  EXPECT_THAT(registry_->list_models(), ::testing::SizeIs(2));
  EXPECT_EQ(info(0).key, "a");
  EXPECT_EQ(info(0).state, ModelState::loading);
  EXPECT_EQ(registry_->metrics().total_models, 1U) << "only the one that runs takes memory";
  registry_->core()->fail(first->flight, std::make_exception_ptr(std::runtime_error("")));
  registry_->core()->fail(queued->flight, std::make_exception_ptr(std::runtime_error("")));
}

TEST_F(IntrospectionTest, ModelsAreListedByKey) {
  make({});
  for (const char* key : {"c", "a", "b"}) hold(key);
  std::vector<std::string> keys;
  for (const ModelInfo& model : registry_->list_models()) keys.push_back(model.key);
  EXPECT_THAT(keys, ElementsAre("a", "b", "c"));
}

TEST_F(IntrospectionTest, TellsWhoHoldsWhatSinceWhen) {
  make({.ttl = std::nullopt});
  LoadOptions first;
  first.holder = "pipeline 1";
  LoadOptions second;
  second.holder = "pipeline 2";
  const auto one = hold("a", first);
  clock_.advance(10s);
  const auto two = hold("a", second);
  clock_.advance(10s);
  auto three = hold("a");
  const ModelInfo model = info();
  EXPECT_EQ(model.reference_count, 3U);
  EXPECT_THAT(model.holders, ElementsAre("pipeline 1", "pipeline 2", "(unnamed)"));
  ASSERT_EQ(model.held_since.size(), 3U);
  ASSERT_TRUE(model.held_since[0].has_value() && model.held_since[1].has_value());
  EXPECT_NEAR(std::chrono::duration<double>(*model.held_since[1] - *model.held_since[0]).count(), 10, 0.5);
  EXPECT_EQ(model.held_since[2], std::nullopt);
  three.release();
  EXPECT_THAT(info().holders, ElementsAre("pipeline 1", "pipeline 2"));
}

TEST_F(IntrospectionTest, TimesAreTheWallClocks) {
  make({.ttl = 1h});
  const WallTime before = std::chrono::system_clock::now();
  auto handle = hold("a");
  clock_.advance(60s);
  const ModelInfo while_held = info();
  EXPECT_NEAR(std::chrono::duration<double>(before - while_held.loaded_at).count(), 60, 2);
  EXPECT_NEAR(std::chrono::duration<double>(before - while_held.last_accessed).count(), 0, 2)
      << "now, while it is held";
  handle.release();
  clock_.advance(30s);
  const ModelInfo idle = info();
  EXPECT_NEAR(std::chrono::duration<double>(before - idle.loaded_at).count(), 90, 2);
  EXPECT_NEAR(std::chrono::duration<double>(before - idle.last_accessed).count(), 30, 2);
}

TEST_F(IntrospectionTest, CountsEveryAccess) {
  make({.ttl = std::nullopt});
  const ModelKey key("a");
  hold("a");
  for (int i = 0; i < 3; ++i) hold("a");
  registry_->get<Probe>("a");
  registry_->get<Probe>(key);
  LoadOptions keep;
  keep.keep_alive = 1h;
  hold("a", keep);
  const auto copied = hold("a");
  const auto copy = copied;
  EXPECT_EQ(info().access_count, 8U) << "a copy is no question";
  registry_->get<Probe>("other");
  registry_->contains("a");
  registry_->list_models();
  EXPECT_EQ(info().access_count, 8U);
}

TEST_F(IntrospectionTest, MetricsCountLoadsHitsMissesAndEvictions) {
  make({.ttl = std::nullopt});
  LoadOptions sized;
  sized.memory_bytes = 10;
  hold("a", sized);
  hold("a", sized);
  hold("b", sized);
  EXPECT_THROW(registry_->get_or_load<Probe>("c", []() -> std::unique_ptr<Probe> { throw std::runtime_error("no"); }),
               Error);
  registry_->get<Probe>("b");
  registry_->get<Probe>("not there");
  clock_.advance(5s);
  registry_->evict("a");
  clock_.advance(5s);
  registry_->clear();
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.loads, 2U);
  EXPECT_EQ(metrics.failed_loads, 1U);
  EXPECT_EQ(metrics.cache_misses, 3U) << "calls that started a load";
  EXPECT_EQ(metrics.cache_hits, 2U) << "also of models that are gone; what was not there is neither";
  EXPECT_EQ(metrics.hit_rate(), 2.0 / 5.0);
  EXPECT_EQ(metrics.evictions, 2U);
  EXPECT_EQ(metrics.evicted_bytes, 20U);
  EXPECT_EQ(metrics.eviction_age_total, 15s);
  EXPECT_EQ(metrics.total_models, 0U);
  EXPECT_EQ(metrics.total_memory_bytes, 0U);
}

TEST_F(IntrospectionTest, EveryWayToGoIsOneEviction) {
  make({.ttl = 1s, .max_models = 2});
  hold("by evict");
  registry_->evict("by evict");
  registry_->clear();
  EXPECT_EQ(registry_->metrics().evictions, 1U);
  hold("by pressure");
  hold("second");
  hold("third");
  EXPECT_EQ(registry_->metrics().evictions, 2U);
  clock_.advance(1s);
  registry_->evict_expired();
  EXPECT_EQ(registry_->metrics().evictions, 4U);
  hold("by clear");
  registry_->clear();
  EXPECT_EQ(registry_->metrics().evictions, 5U);
  EXPECT_EQ(registry_->metrics().evictions_by_pressure, 1U);
  EXPECT_EQ(registry_->metrics().evictions_by_time, 2U);
}

TEST_F(IntrospectionTest, AllRegistriesAreCountedTogetherAlsoThoseThatAreGone) {
  const RegistryMetrics before = ModelRegistry::metrics_of_all();
  make({.max_models = 1});
  hold("one");
  hold("other");
  {
    ModelRegistry gone;
    auto handle = gone.get_or_load<int>("number", [] { return std::make_unique<int>(1); }, {.memory_bytes = 100});
    const RegistryMetrics both = ModelRegistry::metrics_of_all();
    EXPECT_EQ(both.loads, before.loads + 3);
    EXPECT_EQ(both.total_models, before.total_models + 2);
    EXPECT_EQ(both.total_memory_bytes - before.total_memory_bytes, 100 + registry_->metrics().total_memory_bytes);
  }
  const RegistryMetrics after = ModelRegistry::metrics_of_all();
  EXPECT_EQ(after.loads, before.loads + 3);
  EXPECT_EQ(after.load_times.back(), before.load_times.back() + 3);
  EXPECT_EQ(after.evictions_by_pressure, before.evictions_by_pressure + 1);
  EXPECT_EQ(after.total_models, before.total_models + 1);
}

TEST_F(IntrospectionTest, HitsAreExactUnderManyThreads) {
  make({.ttl = std::nullopt});
  const ModelKey bound("a");
  hold("a");
  testing::together(16, [&](std::size_t i) {
    for (int n = 0; n < 1000; ++n) {
      switch ((i + static_cast<std::size_t>(n)) % 4) {
        case 0:
          registry_->get<Probe>("a");
          break;
        case 1:
          registry_->get<Probe>(bound);
          break;
        case 2:
          hold("a");
          break;
        default:
          hold("a", {.keep_alive = 1h});
      }
    }
  });
  EXPECT_EQ(registry_->metrics().cache_hits, 16'000U);
  EXPECT_EQ(registry_->metrics().cache_misses, 1U);
  EXPECT_EQ(info().access_count, 16'001U);
  EXPECT_EQ(info().reference_count, 0U);
  registry_->clear();
  EXPECT_EQ(registry_->metrics().cache_hits, 16'000U) << "they stay counted when the model goes";
}

TEST_F(IntrospectionTest, HitsAndMissesAddUpToTheCallsWhileModelsComeAndGo) {
  make({.ttl = 0ns});
  testing::together(4, [&](std::size_t i) {
    for (int n = 0; n < 500; ++n) hold(std::to_string((i + static_cast<std::size_t>(n)) % 3));
  });
  registry_->clear();
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.cache_hits + metrics.cache_misses, 2000U);
  EXPECT_EQ(metrics.cache_misses, metrics.loads);
  EXPECT_EQ(metrics.loads, metrics.evictions);
  EXPECT_EQ(static_cast<int>(metrics.loads), life_.made);
}

TEST_F(IntrospectionTest, LoadTimesFillACumulativeHistogram) {
  make({.ttl = std::nullopt});
  const std::array<Duration, 5> times{0s, 1ms, 7ms, 2s, 2min};
  for (std::size_t i = 0; i < times.size(); ++i) {
    registry_->get_or_load<Probe>(std::to_string(i), [&] {
      clock_.advance(times[i]);
      return std::make_unique<Probe>(life_);
    });
  }
  EXPECT_THROW(registry_->get_or_load<Probe>("failed",
                                             [&]() -> std::unique_ptr<Probe> {
                                               clock_.advance(1h);
                                               throw std::runtime_error("no");
                                             }),
               Error);
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.load_time_total, 2min + 2s + 8ms);
  //                                            1ms 5ms 10ms 50ms .1 .5  1 2.5  5 10 30 60 inf
  EXPECT_THAT(metrics.load_times, ElementsAre(2U, 2U, 3U, 3U, 3U, 3U, 3U, 4U, 4U, 4U, 4U, 4U, 5U));
  EXPECT_EQ(metrics.load_times.back(), metrics.loads);
}

TEST_F(IntrospectionTest, TheTimeInTheQueueIsNoLoadTime) {
  make({.ttl = std::nullopt, .max_concurrent_loads = 1});
  const auto core = registry_->core();
  const auto first = core->ask({"first", typeid(Probe), {}, {}, {}});
  core->start(first->flight, [] {});
  const auto second = core->ask({"second", typeid(Probe), {}, {}, {}});
  core->start(second->flight, [] {});
  clock_.advance(10s);
  core->publish(first->flight, {std::make_shared<Probe>(life_), {}, {}, false});
  clock_.advance(1s);
  core->publish(second->flight, {std::make_shared<Probe>(life_), {}, {}, false});
  EXPECT_EQ(registry_->metrics().load_time_total, 11s);
  core->take(first)->release();
  core->take(second)->release();
}

TEST_F(IntrospectionTest, AModelFoundAgainIsAHitAndNoLoad) {
  make({.ttl = std::nullopt});
  const auto core = registry_->core();
  const auto waiter = core->ask({"a", typeid(Probe), {}, {}, {}});
  core->start(waiter->flight, [] {});
  core->publish(waiter->flight, {std::make_shared<Probe>(life_), {}, {}, true});
  core->take(waiter)->release();
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.loads, 0U);
  EXPECT_EQ(metrics.cache_misses, 0U);
  EXPECT_EQ(metrics.cache_hits, 1U);
}

TEST_F(IntrospectionTest, ListsAndMetricsMayBeAskedForAllTheTime) {
  make({.ttl = 0ns, .max_models = 3});
  std::atomic<bool> over{false};
  std::jthread asks([&] {
    while (!over) {
      for (const ModelInfo& model : registry_->list_models()) {
        EXPECT_EQ(model.holders.size(), model.held_since.size());
        EXPECT_GE(model.holders.size(), model.state == ModelState::ready ? model.reference_count : 0U);
      }
      EXPECT_LE(registry_->metrics().total_models, 3U);
      registry_->plan("x", 1);
    }
  });
  testing::together(3, [&](std::size_t i) {
    LoadOptions options;
    options.holder = "thread";
    for (std::size_t n = 0; n < 300; ++n) {
      const auto handle = hold(std::to_string((i + n) % 3), options);
      const auto copy = handle;
    }
  });
  over = true;
}

}  // namespace
}  // namespace remotemedia
