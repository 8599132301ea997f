// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_handle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::Life;
using testing::Probe;
using testing::probe_loader;

class ModelHandleTest : public ::testing::Test {
 protected:
  ModelHandle<Probe> hold() { return registry_.get_or_load<Probe>("a", probe_loader(life_)); }
  std::size_t holds() const { return registry_.list_models().at(0).reference_count; }

  Life life_;
  ModelRegistry registry_{{.ttl = std::nullopt}};
};

TEST_F(ModelHandleTest, EachIsOneHoldAndGivesItBackAtItsEnd) {
  {
    const auto first = hold();
    EXPECT_EQ(holds(), 1U);
    {
      const auto second = hold();
      EXPECT_EQ(holds(), 2U);
    }
    EXPECT_EQ(holds(), 1U);
    EXPECT_FALSE(registry_.evict("a"));
  }
  EXPECT_EQ(holds(), 0U);
  EXPECT_TRUE(registry_.evict("a"));
}

TEST_F(ModelHandleTest, ACopyIsAnotherHold) {
  auto first = hold();
  auto copy = first;  // NOLINT: that is what is tested
  EXPECT_EQ(holds(), 2U);
  EXPECT_EQ(&*copy, &*first);
  first.release();
  EXPECT_EQ(holds(), 1U);
  EXPECT_TRUE(copy);
  EXPECT_FALSE(registry_.evict("a"));
}

TEST_F(ModelHandleTest, AMoveTakesTheHoldAlong) {
  auto first = hold();
  Probe* const model = &*first;
  auto moved = std::move(first);
  EXPECT_EQ(holds(), 1U);
  EXPECT_EQ(&*moved, model);
  EXPECT_FALSE(first);  // NOLINT: a moved-from handle is a released one
  EXPECT_EQ(testing::code_thrown([&] { *first; }), ErrorCode::invalid_argument);
  first.release();
  EXPECT_EQ(holds(), 1U);
}

TEST_F(ModelHandleTest, AssignmentGivesTheFormerHoldBack) {
  auto a = hold();
  auto b = registry_.get_or_load<Probe>("b", probe_loader(life_));
  b = a;
  EXPECT_EQ(holds(), 2U);
  EXPECT_TRUE(registry_.evict("b"));
  b = ModelHandle<Probe>();
  EXPECT_EQ(holds(), 1U);
  b = std::move(a);
  EXPECT_EQ(holds(), 1U);
  EXPECT_TRUE(b);
}

TEST_F(ModelHandleTest, AssignedToItselfItStays) {
  auto a = hold();
  auto& same = a;
  a = same;
  EXPECT_EQ(holds(), 1U);
  a = std::move(same);
  EXPECT_EQ(holds(), 1U);
  EXPECT_EQ(a.key(), "a");
}

TEST_F(ModelHandleTest, ReleasedTwiceIsReleasedOnce) {
  auto first = hold();
  const auto second = hold();
  for (int i = 0; i < 3; ++i) {
    first.release();
    EXPECT_EQ(holds(), 1U);
    EXPECT_FALSE(first);
  }
}

TEST_F(ModelHandleTest, UseAfterReleaseIsAnErrorEveryTime) {
  auto handle = hold();
  handle.release();
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] { *handle; }), ErrorCode::invalid_argument);
    EXPECT_EQ(testing::code_thrown([&] { handle.operator->(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(testing::code_thrown([&] { handle.key(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(testing::code_thrown([&] { handle.model_id(); }), ErrorCode::invalid_argument);
  }
  const auto copy = handle;
  EXPECT_FALSE(copy);
  EXPECT_EQ(testing::code_thrown([&] { *copy; }), ErrorCode::invalid_argument);
  EXPECT_TRUE(hold());
}

TEST_F(ModelHandleTest, OneThatHoldsNothingIsHarmless) {
  ModelHandle<Probe> nothing;
  EXPECT_FALSE(nothing);
  nothing.release();
  ModelHandle<Probe> copy = nothing;
  copy = nothing;
  copy = std::move(nothing);
  EXPECT_FALSE(copy);
  EXPECT_EQ(testing::code_thrown([&] { *copy; }), ErrorCode::invalid_argument);
}

TEST_F(ModelHandleTest, KnowsWhatItHolds) {
  const auto handle = hold();
  EXPECT_EQ(handle.key(), "a");
  EXPECT_EQ(handle.model_id(), "a");
  struct Named {
    std::string model_id() const { return "minilm v2"; }
    int answer = 42;
  };
  const auto named = registry_.get_or_load<Named>("embedder@cpu", [] { return std::make_unique<Named>(); });
  EXPECT_EQ(named.key(), "embedder@cpu");
  EXPECT_EQ(named.model_id(), "minilm v2");
  EXPECT_EQ(named->answer, 42);
  EXPECT_EQ((*named).answer, 42);
}

TEST_F(ModelHandleTest, AConstHandleReachesAMutableModelAsAPointerDoes) {
  const auto handle = registry_.get_or_load<int>("number", [] { return std::make_unique<int>(1); });
  *handle = 2;
  EXPECT_EQ(**registry_.get<int>("number"), 2);
}

TEST_F(ModelHandleTest, LabelsGoWithTheirHolds) {
  LoadOptions options;
  options.holder = "pipeline 1";
  auto first = registry_.get_or_load<Probe>("a", probe_loader(life_), options);
  auto copy = first;
  auto moved = std::move(first);
  const auto plain = hold();
  EXPECT_THAT(registry_.list_models().at(0).holders,
              ::testing::UnorderedElementsAre("pipeline 1", "pipeline 1", "(unnamed)"));
  moved = plain;
  EXPECT_THAT(registry_.list_models().at(0).holders,
              ::testing::UnorderedElementsAre("pipeline 1", "(unnamed)", "(unnamed)"));
  copy.release();
  copy.release();
  EXPECT_THAT(registry_.list_models().at(0).holders, ::testing::ElementsAre("(unnamed)", "(unnamed)"));
}

TEST_F(ModelHandleTest, ManyThreadsCopyMoveAndReleaseHandlesOfOneModel) {
  const auto shared = hold();
  LoadOptions labelled;
  labelled.holder = "thread";
  testing::together(8, [&](std::size_t i) {
    std::vector<ModelHandle<Probe>> mine;
    for (int round = 0; round < 500; ++round) {
      mine.push_back(shared);
      mine.push_back(i % 2 == 0 ? hold() : registry_.get_or_load<Probe>("a", probe_loader(life_), labelled));
      auto copy = mine.back();
      copy = std::move(mine.front());
      mine.erase(mine.begin());
      if (mine.size() > 10) mine.clear();
      EXPECT_EQ(&*copy, &*shared);
      copy.release();
    }
  });
  EXPECT_EQ(holds(), 1U);
  EXPECT_THAT(registry_.list_models().at(0).holders, ::testing::ElementsAre("(unnamed)"));
  EXPECT_EQ(life_.made, 1);
}

TEST_F(ModelHandleTest, MoreHoldsThanCanBeCountedAreRefused) {
  auto handle = hold();
  // As many holds as there may be, without making two million handles.
  detail::ModelSlot* const slot = registry_.core()->try_hold("a", typeid(Probe));
  ASSERT_NE(slot, nullptr);
  slot->word.fetch_add(detail::ModelSlot::kTooManyHolds);
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] { auto copy = handle; }), ErrorCode::rejected);
    EXPECT_EQ(testing::code_thrown([&] { hold(); }), ErrorCode::rejected);
    EXPECT_EQ(testing::code_thrown([&] { registry_.get<Probe>("a"); }), ErrorCode::rejected);
  }
  slot->word.fetch_sub(detail::ModelSlot::kTooManyHolds);
  slot->release();
  EXPECT_TRUE(hold());
  EXPECT_EQ(holds(), 1U);
}

TEST(ModelHandleTypeTest, IsWhatAHandleShouldBe) {
  using Handle = ModelHandle<Probe>;
  static_assert(std::is_nothrow_default_constructible_v<Handle>);
  static_assert(std::is_copy_constructible_v<Handle> && std::is_copy_assignable_v<Handle>);
  static_assert(std::is_nothrow_move_constructible_v<Handle>);
  static_assert(std::is_nothrow_destructible_v<Handle>);
  static_assert(!std::is_convertible_v<Handle, bool>, "only explicitly");
  static_assert(!std::is_constructible_v<Handle, Probe*>, "only the registry makes handles");
}

}  // namespace
}  // namespace remotemedia
