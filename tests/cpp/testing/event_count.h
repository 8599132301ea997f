// SPDX-License-Identifier: Apache-2.0
//
// EventCount: how often something has happened, and a way to wait for it. Not std::atomic's wait(), which libstdc++ 12
// gets wrong on systems without futex (latch.h).

#pragma once

#include "remotemedia/base/mutex.h"

namespace remotemedia::testing {

/// Threads:  any.
class EventCount {
 public:
  void add() {
    MutexLock lock(mutex_);
    ++count_;
    added_.notify_all();
  }

  int count() const {
    MutexLock lock(mutex_);
    return count_;
  }

  /// Returns once it has happened `count` times.
  void wait_for(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) added_.wait(mutex_);
  }

 private:
  mutable Mutex mutex_;
  CondVar added_;
  int count_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
};

}  // namespace remotemedia::testing
