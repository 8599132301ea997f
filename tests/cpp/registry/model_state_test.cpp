// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "remotemedia/registry/model_slot.h"

namespace remotemedia {
namespace {

using enum ModelState;
constexpr ModelState kStates[] = {absent, loading, ready, evicting, failed};

TEST(ModelStateTest, OnlyTheseTransitionsAreLegal) {
  const std::set<std::pair<ModelState, ModelState>> legal{
      {absent, loading}, {loading, ready},   {loading, absent}, {loading, failed},
      {ready, evicting}, {evicting, absent}, {failed, loading}, {failed, absent},
  };
  for (const ModelState from : kStates) {
    for (const ModelState to : kStates) {
      EXPECT_EQ(is_legal_transition(from, to), legal.contains({from, to}))
          << to_string(from) << " -> " << to_string(to);
    }
  }
}

TEST(ModelStateTest, EveryStateHasAName) {
  std::set<std::string> names;
  for (const ModelState state : kStates) names.emplace(to_string(state));
  EXPECT_EQ(names, (std::set<std::string>{"absent", "loading", "ready", "evicting", "failed"}));
}

TEST(ModelStateDeathTest, ASlotEndsTheProcessRatherThanTakeAnIllegalWay) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  detail::ModelSlot slot(nullptr, nullptr);
  slot.enter(loading);
  EXPECT_DEATH(slot.enter(evicting), "");
}

}  // namespace
}  // namespace remotemedia
