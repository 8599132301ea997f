// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/work_thread.h"

#include <utility>

namespace remotemedia::detail {

WorkThread::WorkThread() : thread_([this] { run_all(); }) {}

WorkThread::~WorkThread() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void WorkThread::run(std::function<void()> work) {
  MutexLock lock(mutex_);
  work_.push_back(std::move(work));
  changed_.notify_all();
}

void WorkThread::run_all() {
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(mutex_);
      while (work_.empty() && !ending_) changed_.wait(mutex_);
      if (work_.empty()) return;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
  }
}

}  // namespace remotemedia::detail
