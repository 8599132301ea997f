// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/janitor_alarm.h"

#include <vector>

namespace remotemedia::detail {
namespace {

struct Pool {
  Mutex mutex;
  std::vector<JanitorAlarm*> free REMOTEMEDIA_GUARDED_BY(mutex);
};

Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

JanitorAlarm* JanitorAlarm::borrow() {
  MutexLock lock(pool().mutex);
  auto& free = pool().free;
  if (free.empty()) {
    free.reserve(free.capacity() + 1);  // give_back() must not allocate
    return new JanitorAlarm;
  }
  JanitorAlarm* const alarm = free.back();
  free.pop_back();
  return alarm;
}

void JanitorAlarm::give_back(JanitorAlarm* alarm) noexcept {
  alarm->next_look_.store(TimePoint::min());
  MutexLock lock(pool().mutex);
  pool().free.push_back(alarm);
}

Mutex& JanitorAlarm::pool_mutex() { return pool().mutex; }

void JanitorAlarm::lock_for_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) { mutex_.lock(); }

void JanitorAlarm::unlock_after_fork(bool in_child) REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  if (in_child) rings_.forget_waiters();
  mutex_.unlock();
}

void JanitorAlarm::ring() noexcept {
  MutexLock lock(mutex_);
  rung_ = true;
  rings_.notify_all();
}

void JanitorAlarm::sleep_until(const Clock& clock, TimePoint deadline) {
  MutexLock lock(mutex_);
  next_look_.store(deadline);
  while (!rung_ && clock.now() < deadline) clock.wait_until(rings_, mutex_, deadline);
  rung_ = false;
}

}  // namespace remotemedia::detail
