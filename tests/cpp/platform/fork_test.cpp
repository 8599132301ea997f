// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/fork.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

namespace remotemedia {
namespace {

std::atomic<int> before{0};
std::atomic<int> in_parent{0};
std::atomic<int> in_child{0};

TEST(ForkTest, EachSideIsToldOnce) {
  at_fork([] { ++before; }, [] { ++in_parent; }, [] { ++in_child; });
  for (int round = 1; round <= 2; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(before == round && in_parent == round - 1 && in_child == 1 ? 0 : 1);
    int status = 1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_EQ(before, round);
    EXPECT_EQ(in_parent, round);
    EXPECT_EQ(in_child, 0);
  }
}

}  // namespace
}  // namespace remotemedia
