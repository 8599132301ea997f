// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/allocator_forks.h"

#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/allocator_core.h"
#include "remotemedia/platform/fork.h"

namespace remotemedia::detail {
namespace {

struct Guarded {
  Mutex mutex;
  std::vector<AllocatorCore*> cores REMOTEMEDIA_GUARDED_BY(mutex);
};

void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

Guarded& guarded() {
  static Guarded* const instance = [] {
    at_fork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
    return new Guarded;
  }();
  return *instance;
}

void before_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  guarded().mutex.lock();
  for (AllocatorCore* core : guarded().cores) core->lock_for_fork();
}

void unlock(bool in_child) REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  for (AllocatorCore* core : guarded().cores) core->unlock_after_fork(in_child);
  guarded().mutex.unlock();
}

void after_fork_in_parent() { unlock(false); }
void after_fork_in_child() { unlock(true); }

}  // namespace

void guard_forks(AllocatorCore& core) {
  MutexLock lock(guarded().mutex);
  guarded().cores.push_back(&core);
}

void unguard_forks(AllocatorCore& core) noexcept {
  MutexLock lock(guarded().mutex);
  std::erase(guarded().cores, &core);
}

}  // namespace remotemedia::detail
