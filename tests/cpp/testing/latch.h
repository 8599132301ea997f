// SPDX-License-Identifier: Apache-2.0
//
// Latch: std::latch, whose waiting libstdc++ 12 gets wrong on systems without futex: who is about to sleep misses the
// last arrival.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace remotemedia::testing {

class Latch {
 public:
  explicit Latch(std::ptrdiff_t expected) : left_(expected) {}

  void count_down() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) all_came_.notify_all();
  }

  bool try_wait() {
    const std::lock_guard lock(mutex_);
    return left_ <= 0;
  }

  void wait() {
    std::unique_lock lock(mutex_);
    all_came_.wait(lock, [this] { return left_ <= 0; });
  }

  void arrive_and_wait() {
    count_down();
    wait();
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::ptrdiff_t left_;
};

}  // namespace remotemedia::testing
