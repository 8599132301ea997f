// SPDX-License-Identifier: Apache-2.0
//
// What an instance does next, and where it waits until there is something.

#include <algorithm>
#include <utility>

#include "remotemedia/worker/spin_time.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {
namespace {

/// Beside which waking a thread counts.
constexpr Duration kQuickRun = std::chrono::microseconds{200};

/// Between two looks at the clock, and at what came otherwise.
constexpr int kLooks = 8;

/// Where a source has no looks of its own, its callers take longer between two calls, and to be woken, too.
constexpr int kSpinsWithoutLooks = 2;

/// After so many calls in a row by another source an instance goes there.
constexpr std::size_t kCallsOfOthers = 3;

}  // namespace

std::optional<WorkerCore::Work> WorkerCore::wait_for_work(Instance& instance) {
  if (instance.ahead) {
    give(instance.expired);
    return std::exchange(instance.ahead, std::nullopt);
  }
  CallSource* source = nullptr;  // that this instance looks at
  bool may_look = true;
  instance.longest_spin = config_.spin;
  TimePoint looks_until = end_of_looks(instance);
  // Not after it has slept: the client that woke it may be waiting for this CPU.
  const TimePoint eager_until =
      std::exchange(instance.slept, false) ? TimePoint{} : later(instance.idle_since, kEagerTime);
  while (true) {
    std::optional<Work> work;
    TimePoint ready_at = TimePoint::max();
    bool ends = false;
    bool waits = false;
    {
      MutexLock lock(mutex_);
      count_given(std::exchange(instance.given, 0));
      if (source != nullptr) waited_at_ = nullptr;
      work = take_work(instance, ready_at);
      if (work && source != nullptr) leave_source();
      if (!work && instance.expired.empty()) {
        ends = ending_ && streams_.empty();
        if (may_look && source == nullptr && !sources_.empty() && looked_at_ == nullptr) {
          source = looked_at_ = sources_[chosen_source_];
        }
        if (source == nullptr) {
          if (!ends) clock_.wait_until(work_, mutex_, ready_at);
        } else if (ends || !has_source(source)) {
          may_look = false;
        } else if (ready_at == TimePoint::max() && (!source->has_looks() || clock_.now() >= looks_until)) {
          waits = true;
          waited_at_ = source;
        }
      }
    }
    give(instance.expired);
    if (work) return work;
    if (source != nullptr && may_look) {
      if (waits) {
        if (!std::exchange(instance.slept, true) && !source->has_looks()) {
          instance.idle_since = clock_.now();
          instance.longest_spin = kSpinsWithoutLooks * config_.spin;
          looks_until = end_of_looks(instance);
        }
        may_look = source->wait(looks_until);
      } else if (look(*source)) {
        instance.has_looked = true;
      } else {
        const TimePoint now = clock_.now();
        may_look = ready_at == TimePoint::max() || now < looks_until;
        if (may_look && now >= eager_until) std::this_thread::yield();
      }
    }
    if (source != nullptr && !may_look) {
      source->end_looks();
      MutexLock lock(mutex_);
      waited_at_ = nullptr;
      leave_source();
      source = nullptr;
    }
    if (ends) return std::nullopt;
  }
}

TimePoint WorkerCore::end_of_looks(const Instance& instance) const {
  if (instance.usual_time > kQuickRun) return TimePoint{};
  return later(instance.idle_since, instance.spin.get(instance.longest_spin));
}

bool WorkerCore::look(CallSource& source) {
  for (int looks = 0; looks < kLooks; ++looks) {
    if (source.look()) return true;
  }
  return false;
}

void WorkerCore::leave_source() {
  const CallSource* const left = std::exchange(looked_at_, nullptr);
  if (instances_.size() > 1 && !left->has_looks()) work_.notify_all();  // another instance may sleep there
  finished_.notify_all();
}

bool WorkerCore::has_source(const CallSource* source) const {
  return std::ranges::find(sources_, source) != sources_.end();
}

void WorkerCore::came_by(const void* place) {
  if (sources_.size() < 2) return;
  const auto found = std::ranges::find_if(sources_, [&](const CallSource* each) { return each->place() == place; });
  const std::size_t source = found == sources_.end() ? 0 : static_cast<std::size_t>(found - sources_.begin());
  if (source == chosen_source_) {
    calls_of_others_ = 0;
  } else if (++calls_of_others_ > kCallsOfOthers) {
    chosen_source_ = source;
    calls_of_others_ = 0;
  }
}

void WorkerCore::notify_work() {
  work_.notify_all();
  if (waited_at_ != nullptr) waited_at_->end_wait();
}

void WorkerCore::add_source(CallSource& source) {
  MutexLock lock(mutex_);
  sources_.push_back(&source);
  work_.notify_all();
}

void WorkerCore::remove_source(const CallSource& source) {
  MutexLock lock(mutex_);
  if (std::erase(sources_, &source) == 0) return;
  chosen_source_ = calls_of_others_ = 0;
  notify_work();
  while (looked_at_ == &source) finished_.wait(mutex_);
}

/// For one that has the mutex, and no other beside it that may have nothing to do.
void WorkerCore::take_ahead(Instance& instance) {
  if (instances_.size() > 1 || queue_.size() == 0) return;
  TimePoint ready_at;
  instance.ahead = take_work(instance, ready_at);
}

std::optional<WorkerCore::Work> WorkerCore::take_work(Instance& instance, TimePoint& ready_at) {
  std::optional<Work> work = next_work(instance, ready_at);
  instance.has_looked = instance.has_come_back = false;
  return work;
}

std::optional<WorkerCore::Work> WorkerCore::next_work(Instance& instance, TimePoint& ready_at) {
  if (instance.own_stream != nullptr) {
    if (!can_go_on(*instance.own_stream)) return std::nullopt;
    begin_work(instance, 1, clock_.now());
    return instance.own_stream;
  }
  if (auto closed = sessions_.take_closed()) return std::move(*closed);
  if (std::exchange(health_wanted_, false)) return AskHealth{};
  if (!instance.resumed_a_stream) {
    if (StreamPtr stream = next_stream()) {
      begin_work(instance, 1, clock_.now());
      instance.resumed_a_stream = true;
      return stream;
    }
  }
  instance.resumed_a_stream = false;
  if (auto requests = next_requests(instance, ready_at)) return requests;
  if (StreamPtr stream = next_stream()) {
    begin_work(instance, 1, clock_.now());
    return stream;
  }
  return std::nullopt;
}

std::optional<WorkerCore::Work> WorkerCore::next_requests(Instance& instance, TimePoint& ready_at) {
  if (queue_.size() == 0) return std::nullopt;
  const TimePoint now = instance.has_looked      ? last_accepted_at_
                        : instance.has_come_back ? std::max(instance.idle_since, last_accepted_at_)
                                                 : clock_.now();
  RequestQueue::Batch batch =
      queue_.take({max_batch_size_, config_.batch_delay, streams_.size() < config_.concurrent_streams}, now,
                  std::move(instance.batch_memory));
  ready_at = batch.ready_at;
  std::erase_if(batch.requests, [&](const RequestPtr& request) REMOTEMEDIA_REQUIRES(mutex_) {
    request->place = Request::Place::running;
    request->began_at = now;
    if (request->call.deadline > now) return false;
    batch.rows -= request->rows;
    end_early(request, Outcome::expired, too_late(), instance.expired);
    queue_.end_turn(*request);
    leave_session(*request);
    return true;
  });
  if (batch.requests.empty()) return std::nullopt;
  begin_work(instance, batch.requests.size(), now);
  if (batch.requests.front()->call.stream) return open_stream(instance, batch.requests.front());
  statistics_.count_run(batch.rows, now);
  return std::move(batch.requests);
}

void WorkerCore::begin_work(Instance& instance, std::size_t load, TimePoint now) {
  instance.load = load;
  instance.running_since = now;
  instance.spin.waited(now - instance.idle_since, instance.longest_spin);
  attend_at(later(instance.running_since, config_.watchdog));
  const bool all_run = std::ranges::all_of(instances_, [](const auto& each) { return each->load > 0; });
  if (state_ == WorkerState::ready && all_run) enter(WorkerState::busy);
}

void WorkerCore::end_work(Instance& instance, TimePoint now) {
  const Duration time = now - instance.running_since;
  instance.idle_since = now;
  instance.has_come_back = true;
  instance.usual_time = instance.usual_time == Duration::max() ? time : (7 * instance.usual_time + time) / 8;
  instance.load = 0;
  instance.reported = false;
  if (state_ == WorkerState::busy) enter(WorkerState::ready);
  finished_.notify_all();
}

}  // namespace remotemedia::detail
