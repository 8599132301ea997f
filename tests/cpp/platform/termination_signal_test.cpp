// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/termination_signal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>

#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia::platform {
namespace {

std::atomic<int> came_elsewhere{0};

/// What a signal does, for as long as this lives.
class Disposition {
 public:
  Disposition(int signal, void (*handler)(int)) : signal_(signal), before_(::signal(signal, handler)) {}
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;
  ~Disposition() { ::signal(signal_, before_); }

 private:
  int signal_;
  void (*before_)(int);
};

void count_elsewhere(int) { ++came_elsewhere; }

bool is_ready(const TerminationSignal& signal, TimePoint deadline = TimePoint{}) {
  const std::array<NativeHandle, 1> handles{signal.wait_handle()};
  return !wait_for_any(handles, deadline).empty();
}

/// How a child ends that runs `what` and then 7.
template <class What>
int status_of_child(What&& what) {
  const pid_t child = fork();
  if (child == 0) {
    what();
    _exit(7);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(TerminationSignalTest, BothSignalsAreSomethingToWaitFor) {
  for (const int number : {SIGTERM, SIGINT}) {
    TerminationSignal signal;
    EXPECT_FALSE(is_ready(signal));
    EXPECT_FALSE(signal.take());
    for (int i = 0; i < 2; ++i) {
      raise(number);
      EXPECT_TRUE(is_ready(signal, TimePoint::max()));
      EXPECT_TRUE(signal.take());
      EXPECT_FALSE(signal.take());
    }
  }
}

TEST(TerminationSignalTest, ThreadsThatAreInterruptedKnowNothingOfIt) {
  TerminationSignal signal;
  testing::together(4, [](std::size_t) {
    for (int i = 0; i < 1000; ++i) {
      errno = 77;
      raise(SIGTERM);
      EXPECT_EQ(errno, 77);
    }
  });
  EXPECT_TRUE(signal.take());
}

TEST(TerminationSignalTest, WhatWasThereBeforeIsThereAgain) {
  const Disposition elsewhere(SIGTERM, count_elsewhere);
  const int before = came_elsewhere;
  {
    TerminationSignal signal;
    raise(SIGTERM);
    EXPECT_TRUE(signal.take());
    EXPECT_EQ(came_elsewhere, before);
  }
  raise(SIGTERM);
  EXPECT_EQ(came_elsewhere, before + 1);
}

TEST(TerminationSignalTest, ThereIsOneAtATime) {
  std::optional<TerminationSignal> first(std::in_place);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(testing::code_thrown([] { const TerminationSignal second; }), ErrorCode::invalid_argument);
  }
  raise(SIGTERM);
  EXPECT_TRUE(first->take());
  first.reset();
  const TerminationSignal next;
}

TEST(TerminationSignalTest, AnInterruptThatIsIgnoredStaysSo) {
  const Disposition ignored(SIGINT, SIG_IGN);
  TerminationSignal signal;
  raise(SIGINT);
  EXPECT_FALSE(signal.take());
  raise(SIGTERM);
  EXPECT_TRUE(signal.take());
}

TEST(TerminationSignalTest, AForkedChildHasWhatWasThereBefore) {
  TerminationSignal signal;
  const int ended = status_of_child([] { raise(SIGTERM); });
  EXPECT_TRUE(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGTERM);
  EXPECT_FALSE(signal.take()) << "it was the child's";
  raise(SIGTERM);
  EXPECT_TRUE(signal.take());
}

TEST(TerminationSignalTest, AForkedChildMayHaveItsOwn) {
  TerminationSignal signal;
  const int ended = status_of_child([] {
    TerminationSignal own;
    raise(SIGTERM);
    if (!own.take()) _exit(1);
  });
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 7);
  EXPECT_FALSE(signal.take());
}

}  // namespace
}  // namespace remotemedia::platform
