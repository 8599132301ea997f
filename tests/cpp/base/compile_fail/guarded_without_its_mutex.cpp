// SPDX-License-Identifier: Apache-2.0
//
// What a mutex guards is not touched without it (clang knows).

#include "remotemedia/base/mutex.h"

class Counter {
 public:
  void count() {
    remotemedia::MutexLock lock(mutex_);
    ++count_;
  }
#ifdef MUST_NOT_COMPILE
  int read() const { return count_; }
#endif

 private:
  remotemedia::Mutex mutex_;
  int count_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
};
