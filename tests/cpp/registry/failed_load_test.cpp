// SPDX-License-Identifier: Apache-2.0
//
// failed_load_ttl: how long a failed load is remembered.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "remotemedia/registry/model_registry.h"
#include "testing/life.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

class FailedLoadTest : public ::testing::Test {
 protected:
  void make(Duration failed_load_ttl) {
    registry_.emplace(RegistryConfig{.failed_load_ttl = failed_load_ttl, .clock = &clock_});
  }
  std::exception_ptr fail(const std::string& key) {
    return testing::thrown_by([&] {
      registry_->get_or_load<Probe>(key, [this]() -> std::unique_ptr<Probe> {
        ++tries_;
        throw std::runtime_error("attempt " + std::to_string(tries_));
      });
    });
  }
  bool is_listed(const std::string& key) {
    for (const ModelInfo& model : registry_->list_models()) {
      if (model.key == key) return true;
    }
    return false;
  }

  Life life_;
  ManualClock clock_;
  int tries_ = 0;
  std::optional<ModelRegistry> registry_;
};

TEST_F(FailedLoadTest, IsNotRememberedUnlessAskedFor) {
  make(0ns);
  fail("a");
  fail("a");
  EXPECT_EQ(tries_, 2);
  EXPECT_FALSE(is_listed("a"));
}

TEST_F(FailedLoadTest, IsRememberedToTheNanosecond) {
  make(10s);
  const std::exception_ptr first = fail("a");
  clock_.advance(10s - 1ns);
  for (int attempt = 0; attempt < 2; ++attempt) EXPECT_EQ(fail("a"), first) << "the same exception";
  EXPECT_EQ(tries_, 1);
  clock_.advance(1ns);
  EXPECT_THAT(testing::chain_of(fail("a")), ::testing::HasSubstr("attempt 2"));
  EXPECT_EQ(tries_, 2);
  clock_.advance(10s - 1ns);
  fail("a");
  EXPECT_EQ(tries_, 2) << "the second failure is remembered from its own moment";
}

TEST_F(FailedLoadTest, IsListedWhileItIsRememberedAndForgottenByItself) {
  make(10s);
  fail("a");
  ASSERT_TRUE(is_listed("a"));
  const ModelInfo info = registry_->list_models().at(0);
  EXPECT_EQ(info.state, ModelState::failed);
  EXPECT_EQ(info.memory_bytes, 0U);
  EXPECT_EQ(info.reference_count, 0U);
  EXPECT_FALSE(registry_->contains("a"));
  EXPECT_FALSE(registry_->get<Probe>("a").has_value());
  EXPECT_FALSE(registry_->evict("a"));
  EXPECT_EQ(testing::code_thrown([&] { registry_->pin("a"); }), ErrorCode::model_not_found);
  clock_.advance(10s);
  while (is_listed("a")) std::this_thread::yield();
}

TEST_F(FailedLoadTest, CountsNeitherAsHitNorAsMiss) {
  make(10s);
  fail("a");
  for (int i = 0; i < 5; ++i) fail("a");
  const RegistryMetrics metrics = registry_->metrics();
  EXPECT_EQ(metrics.cache_misses, 1U);
  EXPECT_EQ(metrics.cache_hits, 0U);
  EXPECT_EQ(metrics.failed_loads, 1U);
  EXPECT_EQ(metrics.total_models, 0U);
}

TEST_F(FailedLoadTest, IsEachKeysOwn) {
  make(10s);
  fail("a");
  EXPECT_TRUE(registry_->get_or_load<Probe>("b", probe_loader(life_)));
  clock_.advance(10s);
  EXPECT_TRUE(registry_->get_or_load<Probe>("a", probe_loader(life_)));
}

TEST_F(FailedLoadTest, IsForgottenByClear) {
  make(10s);
  fail("a");
  registry_->clear();
  EXPECT_TRUE(registry_->list_models().empty());
  EXPECT_TRUE(registry_->get_or_load<Probe>("a", probe_loader(life_)));
}

TEST_F(FailedLoadTest, TheLongestTimeIsNoShortOne) {
  make(Duration::max());
  fail("a");
  clock_.advance(24h * 365 * 100);
  fail("a");
  EXPECT_EQ(tries_, 1);
}

TEST_F(FailedLoadTest, WhatIsRefusedForWantOfRoomIsNoFailedLoad) {
  registry_.emplace(RegistryConfig{.max_models = 1, .failed_load_ttl = 1h, .clock = &clock_});
  auto held = registry_->get_or_load<Probe>("held", probe_loader(life_));
  EXPECT_EQ(testing::code_thrown([&] { registry_->get_or_load<Probe>("a", probe_loader(life_)); }),
            ErrorCode::out_of_memory);
  held.release();
  EXPECT_TRUE(registry_->get_or_load<Probe>("a", probe_loader(life_)));
}

TEST_F(FailedLoadTest, WhatTheLoaderThrewIsDestroyedWithoutALock) {
  make(10s);
  struct Cause : std::runtime_error {
    explicit Cause(ModelRegistry& owner) : std::runtime_error("cause"), registry(&owner) {}
    Cause(const Cause&) = default;
    Cause& operator=(const Cause&) = delete;
    ~Cause() override { registry->list_models(); }
    ModelRegistry* registry;
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(testing::code_thrown([&] {
                registry_->get_or_load<Probe>("a", [&]() -> std::unique_ptr<Probe> { throw Cause(*registry_); });
              }),
              ErrorCode::load_failed);
    clock_.advance(10s);
    if (round == 0) {
      while (is_listed("a")) std::this_thread::yield();
    } else if (round == 1) {
      EXPECT_TRUE(registry_->get_or_load<Probe>("a", probe_loader(life_)));
      registry_->clear();
    }
  }
  registry_->clear();
}

}  // namespace
}  // namespace remotemedia
