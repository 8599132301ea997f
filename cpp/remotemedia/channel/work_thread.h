// SPDX-License-Identifier: Apache-2.0
//
// WorkThread: a thread that does one thing after the other, for a thread that must not take the time.

#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

/// Threads:  any.
class WorkThread {
 public:
  WorkThread();
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  /// Does first what is left.
  ~WorkThread();

  /// `work` must not throw.
  void run(std::function<void()> work);

 private:
  void run_all();

  Mutex mutex_;
  CondVar changed_;
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> work_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace remotemedia::detail
