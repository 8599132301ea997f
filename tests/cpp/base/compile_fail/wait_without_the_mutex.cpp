// SPDX-License-Identifier: Apache-2.0
//
// Nobody waits on a condition without holding its mutex (clang knows).

#include "remotemedia/base/mutex.h"

void wait(remotemedia::Mutex& mutex, remotemedia::CondVar& condition) {
#ifndef MUST_NOT_COMPILE
  remotemedia::MutexLock lock(mutex);
#endif
  condition.wait(mutex);
}
