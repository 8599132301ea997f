// SPDX-License-Identifier: Apache-2.0
//
// The attendant: what has its time while the model runs. It never waits for the model.

#include <algorithm>

#include "remotemedia/base/log.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

void WorkerCore::run_attendant() {
  Answers answers;
  while (true) {
    bool hangs = false;
    {
      MutexLock lock(mutex_);
      if (ending_) return;
      const TimePoint now = clock_.now();
      const TimePoint next = std::min(attend(now, answers), watch_instances(now, hangs));
      if (answers.empty() && !hangs) {
        // Not later than it was going to, for calls that have ended since: the next one would have to wake it.
        attendant_wakes_at_ = attendant_wakes_at_ > now ? std::min(next, attendant_wakes_at_) : next;
        clock_.wait_until(attention_, mutex_, attendant_wakes_at_);
      }
    }
    give(answers);
    if (hangs)
      log(LogLevel::warning, "model '" + model_id_ + "' has been at one call for longer than the watchdog waits");
  }
}

void WorkerCore::attend_at(TimePoint time) {
  if (time >= attendant_wakes_at_) return;
  attendant_wakes_at_ = time;
  attention_.notify_all();
}

TimePoint WorkerCore::attend(TimePoint now, Answers& answers) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const RequestPtr request = deadlines_.begin()->second;
    end_early(request, Outcome::expired, too_late(), answers);
  }
  const TimePoint idle = sessions_.close_idle(config_.session_idle, now);
  if (sessions_.any_closed() || !answers.empty()) notify_work();
  const TimePoint deadline = deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
  return std::min(deadline, idle);
}

TimePoint WorkerCore::watch_instances(TimePoint now, bool& hangs) {
  TimePoint next = TimePoint::max();
  for (const auto& instance : instances_) {
    if (instance->reported) continue;
    if (hangs_at(*instance) > now) {
      next = std::min(next, hangs_at(*instance));
    } else {
      instance->reported = true;
      hangs = true;
    }
  }
  return next;
}

TimePoint WorkerCore::hangs_at(const Instance& instance) const {
  return instance.load == 0 ? TimePoint::max() : later(instance.running_since, config_.watchdog);
}

std::string WorkerCore::why_unhealthy(TimePoint now) const {
  const bool hangs = std::ranges::any_of(instances_, [&](const auto& each) { return hangs_at(*each) <= now; });
  return hangs ? "the model has been at one call for longer than the watchdog waits" : unhealthy_because_;
}

}  // namespace remotemedia::detail
