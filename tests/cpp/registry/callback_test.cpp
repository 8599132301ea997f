// SPDX-License-Identifier: Apache-2.0
//
// What listeners, loaders, destructors and progress callbacks may do: no lock is held while they run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/event_log.h"
#include "testing/life.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::EventLog;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;

class CallbackTest : public ::testing::Test {
 protected:
  void make(RegistryConfig config) {
    config.clock = &clock_;
    registry_.emplace(config);
  }
  ModelHandle<Probe> hold(const std::string& key) { return registry_->get_or_load<Probe>(key, probe_loader(life_)); }

  /// Everything that a registry answers, on whatever thread.
  void use_everything() {
    registry_->list_models();
    registry_->metrics();
    registry_->plan("new", 10);
    registry_->contains("a");
    registry_->get<Probe>("ready");
    registry_->get_or_load<Probe>("ready", probe_loader(life_)).release();
    registry_->get_or_load<Probe>("ready", probe_loader(life_), {.keep_alive = 1h, .holder = "callback"}).release();
    registry_->evict("not there");
    registry_->evict_expired();
    registry_->pin("ready");
    registry_->unpin("ready");
    registry_->subscribe([](const RegistryEvent&) {})();
    ++uses_;
  }

  Life life_;
  EventLog log_;
  ManualClock clock_;
  std::optional<ModelRegistry> registry_;
  std::atomic<int> uses_{0};
};

TEST_F(CallbackTest, ALoaderMayUseTheRegistry) {
  make({.ttl = std::nullopt});
  hold("ready");
  registry_->get_or_load<Probe>("a", [&] {
    use_everything();
    registry_->clear();
    hold("new in the loader");
    return std::make_unique<Probe>(life_);
  });
  EXPECT_EQ(uses_, 1);
}

TEST_F(CallbackTest, AProgressListenerMayUseTheRegistry) {
  make({.ttl = std::nullopt});
  const auto ready = hold("ready");
  LoadOptions options;
  options.progress = [&](const LoadProgress&) {
    use_everything();
    hold("new in the listener");
  };
  registry_->get_or_load<Probe>(
      "a",
      [&](const ReportProgress& report) {
        report(0.5, "");
        return std::make_unique<Probe>(life_);
      },
      options);
  EXPECT_EQ(uses_, 1);
}

TEST_F(CallbackTest, ADestructorMayUseTheRegistry) {
  make({.ttl = std::nullopt});
  const auto ready = hold("ready");
  log_.listen_to(*registry_);
  registry_->get_or_load<Probe>("a", probe_loader(life_, [&] { use_everything(); })).release();
  registry_->evict("a");
  log_.wait_for(Kind::destroyed, "a");
  EXPECT_EQ(uses_, 1);
}

TEST_F(CallbackTest, AListenerMayUseTheRegistry) {
  make({.ttl = std::nullopt});
  const auto ready = hold("ready");
  std::function<void()> stop;
  stop = registry_->subscribe([&](const RegistryEvent& event) {
    if (event.key == "a" && event.kind <= Kind::released) use_everything();
  });
  log_.listen_to(*registry_);
  hold("a");
  log_.wait_for(Kind::released, "a");
  EXPECT_EQ(uses_, 3);
}

TEST_F(CallbackTest, AListenerOrADestructorThatWouldHaveToLoadGetsAnErrorAndNoDeadlock) {
  make({.ttl = std::nullopt, .max_models = 2, .max_concurrent_loads = 1});
  std::vector<ErrorCode> codes;
  std::mutex mutex;
  const auto try_to_load = [&] {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const ErrorCode code = testing::code_thrown([&] { hold("cold"); });
      const std::scoped_lock lock(mutex);
      codes.push_back(code);
    }
  };
  const auto stop = registry_->subscribe([&](const RegistryEvent& event) {
    if (event.kind == Kind::loaded && event.key == "a") try_to_load();
  });
  log_.listen_to(*registry_);
  registry_->get_or_load<Probe>("a", probe_loader(life_, try_to_load)).release();
  registry_->evict("a");
  log_.wait_for(Kind::destroyed, "a");
  const std::scoped_lock lock(mutex);
  EXPECT_THAT(codes, ::testing::AllOf(::testing::SizeIs(4), ::testing::Each(ErrorCode::invalid_argument)));
  EXPECT_TRUE(hold("cold"));
}

TEST_F(CallbackTest, AModelMayBeDestroyedWhileItHoldsAndReleasesOthers) {
  make({.ttl = 0ns});
  log_.listen_to(*registry_);
  auto inner = std::make_shared<ModelHandle<Probe>>(hold("inner"));
  registry_->get_or_load<Probe>("outer", probe_loader(life_, [inner = std::move(inner)] { inner->release(); }))
      .release();
  log_.wait_for(Kind::destroyed, "inner");
  EXPECT_EQ(life_.alive, 0);
}

}  // namespace
}  // namespace remotemedia
