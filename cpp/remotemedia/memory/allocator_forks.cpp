// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/allocator_forks.h"

#include <new>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/allocator_core.h"
#include "remotemedia/platform/fork.h"

namespace remotemedia::detail {
namespace {

struct Guarded {
  Mutex mutex;
  std::vector<AllocatorCore*> cores REMOTEMEDIA_GUARDED_BY(mutex);
  AllocatorMetrics gone REMOTEMEDIA_GUARDED_BY(mutex);  ///< Of those that were there.
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

void add(AllocatorMetrics& sum, const AllocatorMetrics& more) {
  sum.regions_active += more.regions_active;
  sum.bytes_reserved += more.bytes_reserved;
  sum.bytes_allocated += more.bytes_allocated;
  sum.allocations_total += more.allocations_total;
  sum.frees_total += more.frees_total;
  for (const auto& [reason, count] : more.fallbacks) sum.fallbacks[reason] += count;
}

}  // namespace

void guard_forks(AllocatorCore& core) {
  MutexLock lock(guarded().mutex);
  guarded().cores.push_back(&core);
}

void unguard_forks(AllocatorCore& core) noexcept {
  MutexLock lock(guarded().mutex);
  std::erase(guarded().cores, &core);
  try {
    AllocatorMetrics last = core.metrics();
    last.regions_active = last.bytes_reserved = last.bytes_allocated = 0;
    add(guarded().gone, last);
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): some of its counts are lost
  }
}

AllocatorMetrics metrics_of_all_allocators() {
  MutexLock lock(guarded().mutex);
  AllocatorMetrics sum = guarded().gone;
  for (const AllocatorCore* core : guarded().cores) add(sum, core->metrics());
  return sum;
}

}  // namespace remotemedia::detail
