// SPDX-License-Identifier: Apache-2.0

#include <pthread.h>

#include <new>

#include "remotemedia/platform/fork.h"

namespace remotemedia {

void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) {
  if (pthread_atfork(before, in_parent, in_child) != 0) throw std::bad_alloc();
}

}  // namespace remotemedia
