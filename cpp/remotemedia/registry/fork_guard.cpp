// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/fork_guard.h"

#include <algorithm>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/platform/fork.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/registry_core.h"
#include "remotemedia/registry/wait_graph.h"

namespace remotemedia::detail {
namespace {

struct Guarded {
  Mutex mutex;
  std::vector<RegistryCore*> cores REMOTEMEDIA_GUARDED_BY(mutex);
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

// Locks in the order in which they are nested everywhere: list, book, alarm, graph, pool.
void before_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  guarded().mutex.lock();
  for (RegistryCore* core : guarded().cores) core->lock_for_fork();
  WaitGraph::process().mutex().lock();
  JanitorAlarm::pool_mutex().lock();
}

void unlock_shared() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  JanitorAlarm::pool_mutex().unlock();
  WaitGraph::process().mutex().unlock();
}

void after_fork_in_parent() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  unlock_shared();
  for (RegistryCore* core : guarded().cores) core->unlock_in_parent();
  guarded().mutex.unlock();
}

void after_fork_in_child() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  unlock_shared();
  for (RegistryCore* core : guarded().cores) core->unlock_in_child();
  guarded().mutex.unlock();
}

}  // namespace

void guard_forks(RegistryCore& core) {
  MutexLock lock(guarded().mutex);
  guarded().cores.push_back(&core);
}

void unguard_forks(RegistryCore& core) noexcept {
  MutexLock lock(guarded().mutex);
  std::erase(guarded().cores, &core);
}

}  // namespace remotemedia::detail
