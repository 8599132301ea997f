// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace remotemedia {
namespace {

using enum WorkerState;
constexpr WorkerState kStates[] = {starting, ready, busy, stopping, terminated};

TEST(WorkerStateTest, OnlyTheseMayFollow) {
  const std::set<std::pair<WorkerState, WorkerState>> legal{
      {starting, ready}, {starting, terminated}, {ready, busy},          {busy, ready},
      {ready, stopping}, {busy, stopping},       {stopping, terminated},
  };
  for (const WorkerState from : kStates) {
    for (const WorkerState to : kStates) {
      EXPECT_EQ(is_legal_transition(from, to), legal.contains({from, to}))
          << to_string(from) << " -> " << to_string(to);
    }
  }
}

TEST(WorkerStateTest, EveryStateHasAName) {
  std::set<std::string> names;
  for (const WorkerState state : kStates) names.emplace(to_string(state));
  EXPECT_EQ(names, (std::set<std::string>{"starting", "ready", "busy", "stopping", "terminated"}));
  EXPECT_EQ(to_string(busy), "busy");
}

}  // namespace
}  // namespace remotemedia
