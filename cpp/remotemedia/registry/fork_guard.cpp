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
  RegistryMetrics gone REMOTEMEDIA_GUARDED_BY(mutex);  ///< Of those that were there.
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

void add(RegistryMetrics& sum, const RegistryMetrics& more) noexcept {
  sum.total_models += more.total_models;
  sum.total_memory_bytes += more.total_memory_bytes;
  sum.cache_hits += more.cache_hits;
  sum.cache_misses += more.cache_misses;
  sum.loads += more.loads;
  sum.failed_loads += more.failed_loads;
  sum.evictions += more.evictions;
  sum.evictions_by_pressure += more.evictions_by_pressure;
  sum.evictions_by_time += more.evictions_by_time;
  sum.evicted_bytes += more.evicted_bytes;
  sum.eviction_age_total += more.eviction_age_total;
  sum.load_time_total += more.load_time_total;
  for (std::size_t i = 0; i < sum.load_times.size(); ++i) sum.load_times[i] += more.load_times[i];
}

}  // namespace

void guard_forks(RegistryCore& core) {
  MutexLock lock(guarded().mutex);
  guarded().cores.push_back(&core);
}

void unguard_forks(RegistryCore& core) noexcept {
  MutexLock lock(guarded().mutex);
  if (std::erase(guarded().cores, &core) == 0) return;
  RegistryMetrics last = core.metrics();
  last.total_models = 0;
  last.total_memory_bytes = 0;
  add(guarded().gone, last);
}

RegistryMetrics metrics_of_all_registries() {
  MutexLock lock(guarded().mutex);
  RegistryMetrics sum = guarded().gone;
  for (const RegistryCore* core : guarded().cores) add(sum, core->metrics());
  return sum;
}

}  // namespace remotemedia::detail
