// SPDX-License-Identifier: Apache-2.0
//
// Who stays and who goes with time, by evict() and pin(). Time is a ManualClock's: every moment is exact.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "remotemedia/registry/model_registry.h"
#include "testing/event_log.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::EventLog;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;

class ResidencyTest : public ::testing::Test {
 protected:
  void make(RegistryConfig config) {
    config.clock = &clock_;
    registry_.emplace(config);
    log_.listen_to(*registry_);
  }
  ModelHandle<Probe> hold(const std::string& key, std::optional<Duration> keep_alive = {}) {
    LoadOptions options;
    options.keep_alive = keep_alive;
    return registry_->get_or_load<Probe>(key, probe_loader(life_), options);
  }
  void load(const std::string& key, std::optional<Duration> keep_alive = {}) { hold(key, keep_alive).release(); }
  std::optional<Duration> expires_in(const std::string& key) {
    for (const ModelInfo& model : registry_->list_models()) {
      if (model.key == key) return model.expires_in;
    }
    ADD_FAILURE() << key << " is not listed";
    return {};
  }
  /// Neither the registry's own thread nor evict_expired() takes it now.
  void expect_stays(const std::string& key) {
    registry_->evict_expired();
    EXPECT_TRUE(registry_->contains(key)) << key;
  }
  /// The registry's own thread takes it, without being asked to.
  void expect_goes(const std::string& key, std::size_t times = 1) { log_.wait_for(Kind::destroyed, key, times); }

  Life life_;
  EventLog log_;
  ManualClock clock_;
  std::optional<ModelRegistry> registry_;
};

TEST_F(ResidencyTest, AModelGoesByItselfExactlyWhenItsTimeIsUp) {
  make({.ttl = 30s});
  load("a");
  EXPECT_EQ(expires_in("a"), 30s);
  clock_.advance(30s - 1ns);
  expect_stays("a");
  EXPECT_EQ(expires_in("a"), 1ns);
  clock_.advance(1ns);
  expect_goes("a");
  EXPECT_EQ(life_.alive, 0);
  EXPECT_TRUE(registry_->list_models().empty());
}

TEST_F(ResidencyTest, TimeCountsFromTheLastRelease) {
  make({.ttl = 10s});
  auto first = hold("a");
  auto second = hold("a");
  clock_.advance(1h);
  EXPECT_EQ(expires_in("a"), std::nullopt) << "held";
  first.release();
  clock_.advance(1h);
  expect_stays("a");
  second.release();
  clock_.advance(10s - 1ns);
  expect_stays("a");
  clock_.advance(1ns);
  expect_goes("a");
}

TEST_F(ResidencyTest, EveryUseBeginsTheTimeAnew) {
  make({.ttl = 10s});
  load("a");
  for (int i = 0; i < 5; ++i) {
    clock_.advance(10s - 1ns);
    EXPECT_TRUE(registry_->get<Probe>("a").has_value());
  }
  clock_.advance(10s - 1ns);
  expect_stays("a");
  clock_.advance(1ns);
  expect_goes("a");
  EXPECT_EQ(life_.made, 1);
}

TEST_F(ResidencyTest, EachModelHasItsOwnTime) {
  make({.ttl = 30s});
  load("a");
  clock_.advance(10s);
  load("b");
  load("c", 5s);
  clock_.advance(5s);
  expect_goes("c");
  clock_.advance(15s);
  expect_goes("a");
  expect_stays("b");
  clock_.advance(10s);
  expect_goes("b");
}

TEST_F(ResidencyTest, WithATtlOfZeroAModelGoesWithItsLastHold) {
  make({.ttl = 0ns});
  auto handle = hold("a");
  expect_stays("a");
  handle.release();
  expect_goes("a");
  EXPECT_EQ(life_.alive, 0);
}

TEST_F(ResidencyTest, WithoutATtlTimeTakesNobody) {
  for (const std::optional<Duration> never :
       {std::optional<Duration>(), std::optional<Duration>(-1s), std::optional<Duration>(Duration::max()),
        std::optional<Duration>(Duration::max() - 1h)}) {
    make({.ttl = never});
    load("a");
    clock_.advance(24h * 365 * 10);
    expect_stays("a");
    EXPECT_EQ(registry_->evict_expired().count, 0U);
    EXPECT_TRUE(registry_->evict("a"));
  }
}

TEST_F(ResidencyTest, KeepAliveOfACallIsTheModelsFromThenOn) {
  make({.ttl = 30s});
  load("a", 5s);
  EXPECT_EQ(expires_in("a"), 5s);
  load("a");
  EXPECT_EQ(expires_in("a"), 5s) << "unchanged on a hit that does not say";
  load("a", 1min);
  EXPECT_EQ(expires_in("a"), 1min);
  load("a", -1s);
  EXPECT_EQ(expires_in("a"), std::nullopt);
  load("a", 2s);
  EXPECT_EQ(expires_in("a"), 2s);
  clock_.advance(2s);
  expect_goes("a");
  load("a");
  EXPECT_EQ(expires_in("a"), 30s) << "the registry's own on the next load";
}

TEST_F(ResidencyTest, KeepAliveOfZeroOnAHitTakesItWithTheHold) {
  make({.ttl = std::nullopt});
  load("a");
  auto other = hold("a");
  load("a", 0ns);
  expect_stays("a");
  other.release();
  expect_goes("a");
}

TEST_F(ResidencyTest, AShorterKeepAliveOnAHitIsKeptByTheRegistrysOwnThread) {
  make({.ttl = 1h});
  load("a");
  {
    const auto idle = hold("a");
    load("a", 1s);
  }
  clock_.advance(1s);
  expect_goes("a");
}

TEST_F(ResidencyTest, ANegativeKeepAliveMayStillGoUnderPressure) {
  make({.ttl = 30s, .max_models = 1});
  load("a", -1s);
  clock_.advance(24h);
  expect_stays("a");
  load("b");
  EXPECT_FALSE(registry_->contains("a"));
}

TEST_F(ResidencyTest, KeepAliveOfAWaiterCountsToo) {
  make({.ttl = 30s});
  testing::Latch joined(1);
  LoadOptions options;
  options.keep_alive = 7s;
  options.progress = [&](const LoadProgress&) { joined.count_down(); };
  testing::Latch begun(1);
  std::jthread leader([&] {
    registry_->get_or_load<Probe>("a", [&](const ReportProgress& report) {
      report(std::nullopt, "");
      begun.count_down();
      joined.wait();
      return std::make_unique<Probe>(life_);
    });
  });
  begun.wait();
  registry_->get_or_load<Probe>("a", probe_loader(life_), options);
  leader.join();
  EXPECT_EQ(expires_in("a"), 7s);
}

TEST_F(ResidencyTest, EvictExpiredSaysWhatItTook) {
  make({.ttl = 10s, .cleanup_interval = 24h});
  LoadOptions sized;
  sized.memory_bytes = 100;
  const auto held = registry_->get_or_load<Probe>("held", probe_loader(life_), sized);
  EXPECT_EQ(registry_->evict_expired().count, 0U);
  // The registry's own thread may be first: together they take each model once.
  registry_->get_or_load<Probe>("a", probe_loader(life_), sized).release();
  registry_->get_or_load<Probe>("b", probe_loader(life_), sized).release();
  clock_.advance(10s);
  const EvictionResult result = registry_->evict_expired();
  EXPECT_EQ(result.bytes, 100 * result.count);
  expect_goes("a");
  expect_goes("b");
  EXPECT_EQ(registry_->metrics().evictions, 2U);
  EXPECT_EQ(registry_->evict_expired().count, 0U);
  EXPECT_TRUE(registry_->contains("held"));
}

TEST_F(ResidencyTest, UnderManualOnlyEvictAndClearTake) {
  make({.ttl = 1s, .eviction_policy = EvictionPolicy::manual});
  load("a");
  load("b", 0ns);
  EXPECT_EQ(expires_in("a"), std::nullopt);
  clock_.advance(1h);
  expect_stays("a");
  expect_stays("b");
  EXPECT_TRUE(registry_->evict("a"));
  registry_->clear();
  EXPECT_EQ(life_.alive, 0);
}

TEST_F(ResidencyTest, EvictTakesOnlyWhatIsThereAndNobodyHoldsOrPinned) {
  make({.ttl = std::nullopt});
  EXPECT_FALSE(registry_->evict("a"));
  auto handle = hold("a");
  EXPECT_FALSE(registry_->evict("a"));
  handle.release();
  registry_->pin("a");
  EXPECT_FALSE(registry_->evict("a"));
  registry_->unpin("a");
  EXPECT_TRUE(registry_->evict("a"));
  EXPECT_FALSE(registry_->evict("a"));
  expect_goes("a");
  load("a");
  EXPECT_EQ(life_.made, 2);
}

TEST_F(ResidencyTest, APinnedModelStaysWhateverTheTime) {
  make({.ttl = 1s});
  load("a");
  registry_->pin("a");
  EXPECT_EQ(expires_in("a"), std::nullopt);
  clock_.advance(1h);
  expect_stays("a");
  load("a", 0ns);
  expect_stays("a");
  load("a", 1s);
  clock_.advance(1s);
  registry_->unpin("a");
  expect_goes("a");
}

TEST_F(ResidencyTest, PinningWhatIsNotThereIsAnError) {
  make({});
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error = testing::thrown([&] { registry_->pin("a"); });
    EXPECT_EQ(error.code(), ErrorCode::model_not_found);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'a'"));
    EXPECT_EQ(testing::code_thrown([&] { registry_->unpin("a"); }), ErrorCode::model_not_found);
  }
  load("a");
  registry_->pin("a");
  registry_->pin("a");
  registry_->unpin("a");
  registry_->unpin("a");
  EXPECT_TRUE(registry_->evict("a"));
}

TEST_F(ResidencyTest, APinDoesNotOutliveTheModel) {
  make({.ttl = 1s});
  load("a");
  registry_->pin("a");
  registry_->clear();
  load("a");
  EXPECT_FALSE(registry_->list_models().at(0).pinned);
  clock_.advance(1s);
  expect_goes("a", 2);
}

TEST_F(ResidencyTest, ModelsAreDestroyedOnTheRegistrysThreadAndNeverOnTheCallers) {
  make({.ttl = 0ns, .max_models = 1});
  std::atomic<std::thread::id> first{std::thread::id{}};
  const auto expect_one_thread = [&](const char* how) {
    const std::thread::id ended_on = life_.ended_on;
    EXPECT_NE(ended_on, std::this_thread::get_id()) << how;
    if (first.load() == std::thread::id{}) first = ended_on;
    EXPECT_EQ(ended_on, first.load()) << how;
  };
  load("a");
  expect_goes("a");
  expect_one_thread("by its last release");
  load("b", 1h);
  registry_->evict("b");
  expect_goes("b");
  expect_one_thread("by evict()");
  load("c", 1h);
  load("d", 1h);
  expect_goes("c");
  expect_one_thread("by pressure");
  registry_->clear();
  expect_goes("d");
  expect_one_thread("by clear()");
  load("e", 1h);
  registry_.reset();
  expect_one_thread("by the registry's end");
}

TEST_F(ResidencyTest, ASharedPointerThatTheLoaderKeepsIsAHold) {
  make({.ttl = 10s, .cleanup_interval = 1s});
  auto kept = std::make_shared<Probe>(life_);
  registry_->get_or_load<Probe>("a", [&] { return kept; }).release();
  EXPECT_FALSE(registry_->evict("a"));
  clock_.advance(1h);
  expect_stays("a");
  registry_->clear();
  EXPECT_TRUE(registry_->contains("a"));
  EXPECT_EQ(&**registry_->get<Probe>("a"), kept.get()) << "never a second copy beside the one that is in use";
  kept.reset();
  std::atomic<bool> over{false};
  std::jthread time([&] {  // nobody tells the registry: it looks from time to time
    while (!over) clock_.advance(1s);
  });
  expect_goes("a");
  over = true;
  EXPECT_EQ(life_.alive, 0);
}

TEST_F(ResidencyTest, ManyModelsOfManyTimesAllGo) {
  make({.ttl = 30s});
  testing::together(4, [&](std::size_t thread) {
    for (int i = 0; i < 50; ++i) load(std::to_string(thread) + "/" + std::to_string(i), std::chrono::seconds{i % 7});
  });
  clock_.advance(7s);
  for (int thread = 0; thread < 4; ++thread) {
    for (int i = 0; i < 50; ++i) expect_goes(std::to_string(thread) + "/" + std::to_string(i));
  }
  EXPECT_EQ(life_.alive, 0);
}

TEST(ResidencyRealTimeTest, AModelGoesWithTheMachinesOwnClock) {
  Life life;
  EventLog log;
  ModelRegistry registry{{.ttl = 1ms}};
  log.listen_to(registry);
  for (std::size_t round = 1; round <= 3; ++round) {
    registry.get_or_load<Probe>("a", probe_loader(life)).release();
    log.wait_for(Kind::destroyed, "a", round);
  }
  EXPECT_EQ(life.alive, 0);
}

}  // namespace
}  // namespace remotemedia
