// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/wait_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <string>

#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;

TEST(WaitGraphTest, ALoadMustNotWaitForItself) {
  WaitGraph graph;
  WaitNode a("a");
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error = testing::thrown([&] { graph.add(a, a); });
    EXPECT_EQ(error.code(), ErrorCode::load_failed);
    EXPECT_THAT(error.what(), HasSubstr("'a' -> 'a'"));
  }
}

TEST(WaitGraphTest, ARingIsRefusedAndNamed) {
  WaitGraph graph;
  WaitNode a("a");
  WaitNode b("b");
  WaitNode c("c");
  graph.add(a, b);
  graph.add(b, c);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error = testing::thrown([&] { graph.add(c, a); });
    EXPECT_EQ(error.code(), ErrorCode::load_failed);
    EXPECT_THAT(error.what(), HasSubstr("'c' -> 'a' -> 'b' -> 'c'"));
  }
  EXPECT_THAT(c.waits_for, ::testing::IsEmpty());
}

TEST(WaitGraphTest, ARemovedWaitIsNoPartOfARing) {
  WaitGraph graph;
  WaitNode a("a");
  WaitNode b("b");
  graph.add(a, b);
  graph.remove(a, b);
  graph.add(b, a);
  EXPECT_EQ(testing::code_thrown([&] { graph.add(a, b); }), ErrorCode::load_failed);
}

TEST(WaitGraphTest, WaitingTwiceCountsTwice) {
  WaitGraph graph;
  WaitNode a("a");
  WaitNode b("b");
  graph.add(a, b);
  graph.add(a, b);
  graph.remove(a, b);
  EXPECT_EQ(testing::code_thrown([&] { graph.add(b, a); }), ErrorCode::load_failed);
  graph.remove(a, b);
  graph.remove(a, b);  // once too often changes nothing
  graph.add(b, a);
}

TEST(WaitGraphTest, ManyWaysToOneLoadAreNoRing) {
  WaitGraph graph;
  std::deque<WaitNode> nodes;
  for (int i = 0; i < 60; ++i) nodes.emplace_back(std::to_string(i));
  // Each of a layer waits for both of the next: 2^29 ways from top to bottom.
  for (std::size_t layer = 0; layer + 1 < 30; ++layer) {
    for (std::size_t i : {2 * layer, 2 * layer + 1}) {
      graph.add(nodes[i], nodes[2 * layer + 2]);
      graph.add(nodes[i], nodes[2 * layer + 3]);
    }
  }
  WaitNode outside("outside");
  graph.add(outside, nodes[0]);
  EXPECT_EQ(testing::code_thrown([&] { graph.add(nodes[59], nodes[0]); }), ErrorCode::load_failed);
}

TEST(WaitGraphTest, OfTwoThatCloseARingAtOnceOneIsRefused) {
  for (int round = 0; round < 200; ++round) {
    WaitGraph graph;
    WaitNode a("a");
    WaitNode b("b");
    std::atomic<int> refused{0};
    testing::together(2, [&](std::size_t i) {
      try {
        i == 0 ? graph.add(a, b) : graph.add(b, a);
      } catch (const Error&) {
        ++refused;
      }
    });
    ASSERT_EQ(refused, 1);
  }
}

}  // namespace
}  // namespace remotemedia::detail
