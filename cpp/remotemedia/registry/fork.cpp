// SPDX-License-Identifier: Apache-2.0
//
// Around fork(): see registry_core.h.

#include <algorithm>
#include <vector>

#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

void RegistryCore::lock_for_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  mutex_.lock();
  alarm_->lock_for_fork();
}

void RegistryCore::unlock_in_parent() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  alarm_->unlock_after_fork(false);
  mutex_.unlock();
}

void RegistryCore::unlock_in_child() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  alarm_->unlock_after_fork(true);
  drained_.forget_waiters();
  (void)janitor_.release();  // its thread is the parent's
  background_loads_ = 0;
  Deferred deferred;
  for (ModelSlot* slot : std::vector<ModelSlot*>(table_.slots())) {
    // Copied, for the flight's end lets go of it.
    if (const std::shared_ptr<Flight> flight = slot->flight) {
      end_unpublished(*flight, Waiter::Answer::retry, nullptr, false, deferred);
    }
  }
  resuming_.clear();
  permits_taken_ = 0;
  for (ModelSlot* slot : table_.slots()) {
    const auto buried = [slot](const Buried& one) { return one.slot == slot; };
    if (slot->state == ModelState::evicting && std::ranges::none_of(graveyard_, buried)) release_memory(*slot);
  }
  const bool busy = !graveyard_.empty();
  mutex_.unlock();
  deferred.clear();  // whom it would call is gone
  if (busy) {
    MutexLock lock(mutex_);
    ensure_janitor();
  }
}

}  // namespace remotemedia::detail
