// SPDX-License-Identifier: Apache-2.0
//
// What a registry may be made with.

#include "remotemedia/registry/registry_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "remotemedia/registry/model_registry.h"
#include "testing/life.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

TEST(RegistryConfigTest, HasTheDefaultsThatAreDocumented) {
  const RegistryConfig config;
  EXPECT_EQ(config.ttl, Duration(30s));
  EXPECT_EQ(config.max_memory_bytes, std::nullopt);
  EXPECT_EQ(config.max_models, std::nullopt);
  EXPECT_EQ(config.eviction_policy, EvictionPolicy::lru);
  EXPECT_EQ(config.cleanup_interval, 10s);
  EXPECT_EQ(config.max_concurrent_loads, 1U);
  EXPECT_EQ(config.min_residency, 0s);
  EXPECT_EQ(config.failed_load_ttl, 0s);
  EXPECT_EQ(config.clock, nullptr);
}

struct Refused {
  const char* option;
  RegistryConfig config;
};

TEST(RegistryConfigTest, NonsenseIsRefusedNamingTheOption) {
  const Refused nonsense[] = {
      {"max_models", {.max_models = 0}},
      {"max_concurrent_loads", {.max_concurrent_loads = 0}},
      {"cleanup_interval", {.cleanup_interval = 0ns}},
      {"cleanup_interval", {.cleanup_interval = -1s}},
      {"min_residency", {.min_residency = -1ns}},
      {"failed_load_ttl", {.failed_load_ttl = -1ns}},
      {"eviction_policy", {.eviction_policy = static_cast<EvictionPolicy>(99)}},
  };
  for (const Refused& one : nonsense) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Error error = testing::thrown([&] { const ModelRegistry registry(one.config); });
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << one.option;
      EXPECT_THAT(error.what(), ::testing::HasSubstr(one.option));
    }
  }
}

TEST(RegistryConfigTest, AnythingElseIsTaken) {
  Life life;
  for (const RegistryConfig& config :
       {RegistryConfig{.ttl = -5s}, RegistryConfig{.ttl = 0s}, RegistryConfig{.max_memory_bytes = 0},
        RegistryConfig{.max_models = SIZE_MAX, .max_concurrent_loads = SIZE_MAX},
        RegistryConfig{.cleanup_interval = 1ns}, RegistryConfig{.min_residency = Duration::max()},
        RegistryConfig{.failed_load_ttl = Duration::max()}}) {
    ModelRegistry registry(config);
    EXPECT_TRUE(registry.get_or_load<Probe>("a", probe_loader(life)));
  }
}

TEST(RegistryConfigTest, ABudgetOfZeroTakesModelsWithoutASize) {
  Life life;
  ModelRegistry registry{{.max_memory_bytes = 0}};
  EXPECT_TRUE(registry.get_or_load<Probe>("a", probe_loader(life)));
  EXPECT_EQ(testing::code_thrown([&] { registry.get_or_load<Probe>("b", probe_loader(life), {.memory_bytes = 1}); }),
            ErrorCode::out_of_memory);
}

TEST(ModelRegistryTypeTest, IsNeitherCopiedNorMoved) {
  static_assert(!std::is_copy_constructible_v<ModelRegistry> && !std::is_copy_assignable_v<ModelRegistry>);
  static_assert(!std::is_move_constructible_v<ModelRegistry>);
  static_assert(!std::is_convertible_v<RegistryConfig, ModelRegistry>, "only explicitly");
}

TEST(ModelRegistryMemoryTest, DoesNotGrowWithTheKeysItHasSeen) {
  Life life;
  ModelRegistry registry{{.ttl = 0ns}};
  std::set<const std::string*> places;
  for (int i = 0; i < 20'000; ++i) {
    const auto handle = registry.get_or_load<Probe>("key " + std::to_string(i), probe_loader(life));
    places.insert(&handle.key());
    if (i % 64 == 0) registry.clear();
  }
  EXPECT_LE(places.size(), 1024U);
}

TEST(ModelRegistryMemoryTest, DoesNotGrowWithTheFailuresItHasSeen) {
  Life life;
  ModelRegistry registry;
  std::set<const std::string*> places;
  for (int i = 0; i < 5000; ++i) {
    EXPECT_THROW(registry.get_or_load<Probe>("key " + std::to_string(i),
                                             []() -> std::unique_ptr<Probe> { throw std::runtime_error("no"); }),
                 Error);
    if (i % 10 != 0) continue;
    auto handle = registry.get_or_load<Probe>("good " + std::to_string(i), probe_loader(life));
    places.insert(&handle.key());
    handle.release();
    registry.clear();
  }
  EXPECT_LE(places.size(), 64U);
  EXPECT_TRUE(registry.list_models().empty());
}

}  // namespace
}  // namespace remotemedia
