// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_key.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/life.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::Life;
using testing::Probe;
using testing::probe_loader;

TEST(ModelKeyTest, NamesTheSameModelAsItsText) {
  Life life;
  ModelRegistry registry;
  const ModelKey key("a@cpu");
  EXPECT_EQ(key.text(), "a@cpu");
  EXPECT_FALSE(registry.get<Probe>(key).has_value());
  const auto by_key = registry.get_or_load<Probe>(key, probe_loader(life));
  const auto by_text = registry.get_or_load<Probe>("a@cpu", probe_loader(life));
  const auto again = registry.get<Probe>(key);
  EXPECT_EQ(&*by_key, &*by_text);
  EXPECT_EQ(&*by_key, &**again);
  EXPECT_EQ(by_key.key(), "a@cpu");
  EXPECT_EQ(life.made, 1);
}

TEST(ModelKeyTest, CopiesAndMovedKeysNameTheSameModel) {
  Life life;
  ModelRegistry registry;
  ModelKey key("a");
  const auto first = registry.get_or_load<Probe>(key, probe_loader(life));
  const auto bound = registry.get<Probe>(key);
  ModelKey copy(key);
  ModelKey moved(std::move(copy));
  ModelKey assigned("b");
  assigned = moved;
  assigned = *&assigned;
  for (const ModelKey* one : {&key, &moved, &assigned}) {
    EXPECT_EQ(one->text(), "a");
    EXPECT_EQ(&**registry.get<Probe>(*one), &*first);
  }
}

TEST(ModelKeyTest, AnAssignedKeyForgetsItsFormerModel) {
  Life life;
  ModelRegistry registry;
  ModelKey a("a");
  ModelKey b("b");
  const auto model_a = registry.get_or_load<Probe>(a, probe_loader(life));
  const auto model_b = registry.get_or_load<Probe>(b, probe_loader(life));
  a = b;
  EXPECT_EQ(&**registry.get<Probe>(a), &*model_b);
  EXPECT_EQ(&**registry.get<Probe>(ModelKey("a")), &*model_a);
}

TEST(ModelKeyTest, ServesEachRegistryItsOwnModel) {
  Life life;
  ModelRegistry first;
  ModelRegistry second;
  const ModelKey key("a");
  for (int round = 0; round < 3; ++round) {
    const auto in_first = first.get_or_load<Probe>(key, probe_loader(life));
    const auto in_second = second.get_or_load<Probe>(key, probe_loader(life));
    EXPECT_NE(&*in_first, &*in_second);
    EXPECT_EQ(&**first.get<Probe>(key), &*in_first);
    EXPECT_EQ(&**second.get<Probe>(key), &*in_second);
  }
  EXPECT_EQ(life.made, 2);
}

TEST(ModelKeyTest, FindsAModelThatWasEvictedAndLoadedAgain) {
  Life life;
  ModelRegistry registry;
  const ModelKey key("a");
  for (int round = 1; round <= 3; ++round) {
    registry.get_or_load<Probe>(key, probe_loader(life)).release();
    EXPECT_TRUE(registry.get<Probe>(key).has_value());
    registry.clear();
    EXPECT_FALSE(registry.get<Probe>(key).has_value());
    EXPECT_EQ(life.made, round);
  }
}

TEST(ModelKeyTest, IsNotTakenInByANewRegistryAtTheSameAddress) {
  Life life;
  const ModelKey key("a");
  std::optional<ModelRegistry> registry;
  for (int round = 1; round <= 20; ++round) {
    registry.emplace();
    EXPECT_FALSE(registry->get<Probe>(key).has_value());
    const auto model = registry->get_or_load<Probe>(key, probe_loader(life));
    EXPECT_EQ(&*model, &**registry->get<Probe>(key));
    EXPECT_EQ(life.made, round);
  }
}

TEST(ModelKeyTest, OutlivesItsRegistry) {
  Life life;
  std::optional<ModelKey> key;
  {
    ModelRegistry registry;
    key.emplace("a");
    registry.get_or_load<Probe>(*key, probe_loader(life)).release();
    registry.get<Probe>(*key);
  }
  EXPECT_EQ(life.alive, 0);
  const ModelKey copy(*key);
  key.reset();
  ModelRegistry other;
  EXPECT_FALSE(other.get<Probe>(copy).has_value());
}

TEST(ModelKeyTest, OneKeyIsUsedAndCopiedByManyThreads) {
  Life life;
  ModelRegistry registry;
  const ModelKey key("a");
  testing::together(8, [&](std::size_t) {
    for (int i = 0; i < 500; ++i) {
      const ModelKey copy(key);
      registry.get_or_load<Probe>(i % 2 == 0 ? key : copy, probe_loader(life));
    }
  });
  EXPECT_EQ(life.made, 1);
  EXPECT_EQ(registry.metrics().cache_hits + registry.metrics().cache_misses, 8U * 500U);
}

TEST(ModelKeyTest, ManyThreadsUseOneKeyWithManyRegistries) {
  Life life;
  const ModelKey key("a");
  std::vector<std::unique_ptr<ModelRegistry>> registries;
  for (int i = 0; i < 4; ++i) registries.push_back(std::make_unique<ModelRegistry>());
  testing::together(8, [&](std::size_t thread) {
    for (std::size_t i = 0; i < 200; ++i) {
      registries[(thread + i) % 4]->get_or_load<Probe>(key, probe_loader(life));
    }
  });
  EXPECT_EQ(life.made, 4);
}

TEST(ModelKeyTest, TheSlotOfABoundKeyIsNotGivenToAnotherKey) {
  Life life;
  ModelRegistry registry;
  const ModelKey key("bound");
  registry.get_or_load<Probe>(key, probe_loader(life)).release();
  ASSERT_TRUE(registry.get<Probe>(key).has_value());
  registry.clear();
  for (int i = 0; i < 1000; ++i) {
    registry.get_or_load<Probe>(std::to_string(i), probe_loader(life)).release();
    registry.clear();
  }
  EXPECT_FALSE(registry.get<Probe>(key).has_value());
  const auto other = registry.get_or_load<Probe>("other", probe_loader(life));
  const auto again = registry.get_or_load<Probe>(key, probe_loader(life));
  EXPECT_EQ(again.key(), "bound");
}

}  // namespace
}  // namespace remotemedia
