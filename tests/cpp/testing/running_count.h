// SPDX-License-Identifier: Apache-2.0
//
// RunningCount: how many of something run at the same time, and how many at most.

#pragma once

#include <atomic>

namespace remotemedia::testing {

class RunningCount {
 public:
  void begin() {
    const int now = ++running_;
    int most = most_;
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void end() { --running_; }

  int running() const { return running_; }
  int most() const { return most_; }

  /// Counts while it lives.
  class Scope {
   public:
    explicit Scope(RunningCount& count) : count_(count) { count_.begin(); }
    ~Scope() { count_.end(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    RunningCount& count_;
  };

 private:
  std::atomic<int> running_{0};
  std::atomic<int> most_{0};
};

}  // namespace remotemedia::testing
