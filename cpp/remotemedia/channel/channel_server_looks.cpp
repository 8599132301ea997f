// SPDX-License-Identifier: Apache-2.0
//
// Who looks at rings and sockets: the poller, and an instance that has nothing else to do.

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_server.h"
#include "remotemedia/platform/cpu_relax.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::detail {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRetryTime = milliseconds{1};   // of what a full queue kept
constexpr Duration kLookTime = microseconds{100};  // between looks at the sockets while rings are busy
constexpr int kLooksAtOnce = 8;                    // of an instance
constexpr Duration kLastWordsTime = seconds{2};

/// Among the handles that the poller waits for; first comes its own bell.
constexpr std::size_t kAlarmPlace = 1;
constexpr std::size_t kListenerPlace = 2;

}  // namespace

/// Ends the session where it goes wrong, or `serve` says that it is over.
template <class Serve>
void ChannelServer::serve(ServerSession& session, Serve serve) noexcept {
  if (session.is_over()) return;
  try {
    if (!serve()) session.end(nullptr);
  } catch (const Error& error) {
    session.end(&error);
  } catch (const std::exception&) {
    session.end(nullptr);
  }
}

/// Not one that has been away for long: it may run its model for longer. One that runs a quick call comes back, and
/// whoever looks beside it takes its time.
bool ChannelServer::instance_looks(TimePoint now) noexcept {
  if (!looks_) return false;
  const std::uint64_t looked = looked_.load(std::memory_order_relaxed);
  if (std::exchange(looked_before_, looked) != looked) looked_at_ = now;
  return now - looked_at_ < kRetryTime;
}

void ChannelServer::run() noexcept {
  const Duration spin = worker_.core.config().spin;
  TimePoint last_call = monotonic_clock().now();
  TimePoint last_look = last_call;
  while (!ending_) {
    try {
      const TimePoint now = monotonic_clock().now();
      if (waits_ || instance_looks(now)) {
        look_at_sockets(Look::beside_an_instance);
        continue;
      }
      bool served = false;
      {
        MutexLock lock(serving_);
        served = serve_rings();
      }
      if (served) last_call = now;
      if (now - last_call >= spin) {
        look_at_sockets(Look::asleep);
        last_look = monotonic_clock().now();
      } else if (now - last_look >= kLookTime) {
        look_at_sockets(Look::at_once);
        last_look = now;
      } else if (!served) {
        std::this_thread::yield();
      }
    } catch (const std::exception&) {
      std::this_thread::sleep_for(kRetryTime);  // no memory, or the system refuses to wait
    }
  }
  end_all();
}

bool ChannelServer::serve_rings() {
  bool served = false;
  bool ended = false;
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    ServerSession& session = *sessions_[i];
    serve(session, [&] {
      served = session.serve_ring() || served;
      return true;
    });
    ended = ended || session.is_over();
  }
  if (ended) forget_ended();
  return served;
}

bool ChannelServer::look() noexcept {
  looked_.store(looked_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!looks_.load(std::memory_order_relaxed)) looks_ = true;
  MutexLock lock(serving_);
  for (int looks = 0; looks < kLooksAtOnce; ++looks) {
    if (serve_rings()) return true;
    platform::cpu_relax();
  }
  return false;
}

/// What an instance that sleeps hears, and what that belongs to, whatever becomes of it meanwhile.
struct ChannelServer::Bells {
  Sessions sessions;
  std::vector<std::shared_ptr<SessionRings>> rings;
  std::vector<platform::NativeHandle> handles;  ///< The instance's own bell, and those of the rings.
  bool may_sleep = true;
};

/// False where somebody has to look at a session from time to time.
bool ChannelServer::begin_wait(Bells& bells) {
  if (std::ranges::any_of(sessions_, [](const auto& session) { return session->is_waiting(); })) return false;
  bells.handles.push_back(instance_bell_->wait_handle());
  for (const std::shared_ptr<ServerSession>& session : sessions_) {
    if (session->rings() == nullptr) continue;
    bells.sessions.push_back(session);
    bells.rings.push_back(session->rings());
    bells.handles.push_back(session->rings()->wait_handle());
    bells.may_sleep = session->begin_sleep() && bells.may_sleep;
  }
  if (alarm_is_set_) {
    alarm_->clear();
    alarm_is_set_ = false;
    poller_rests_ = true;
  }
  waits_ = true;
  looks_ = true;
  return true;
}

void ChannelServer::wake_up(const Bells& bells, const std::vector<std::size_t>& ready) {
  waits_ = false;
  looked_.store(looked_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  auto next = ready.begin();
  if (next != ready.end() && *next == 0) {
    (void)instance_bell_->wait(TimePoint{});
    ++next;
  }
  for (std::size_t i = 0; i < bells.sessions.size(); ++i) {
    const bool rung = next != ready.end() && *next == i + 1;
    if (rung) ++next;
    bells.sessions[i]->end_sleep(rung);
  }
}

bool ChannelServer::wait(TimePoint /*looks_until*/) noexcept {
  try {
    Bells bells;
    {
      MutexLock lock(serving_);
      if (!begin_wait(bells)) return false;
    }
    const TimePoint until = bells.may_sleep ? TimePoint::max() : TimePoint{};
    const std::vector<std::size_t> ready = platform::wait_for_any(bells.handles, until);
    MutexLock lock(serving_);
    wake_up(bells, ready);
    serve_rings();
    if (std::exchange(poller_rests_, false)) {  // this instance may run its model for long
      alarm_->set(kRetryTime);
      alarm_is_set_ = true;
    }
  } catch (const std::exception&) {
    waits_ = false;
    return false;
  }
  return true;
}

void ChannelServer::end_wait() noexcept { instance_bell_->ring(); }

void ChannelServer::rings_made() noexcept {
  if (waits_) instance_bell_->ring();
}

void ChannelServer::end_looks() noexcept {
  looks_ = false;
  doorbell_->ring();
}

/// Until when. An instance may have gone to sleep at the rings since `look` was chosen: then they are its own.
TimePoint ChannelServer::begin_look(Look& look, TimePoint now) {
  if (look == Look::at_once) return TimePoint{};
  if (look == Look::beside_an_instance && !waits_) return later(now, kRetryTime);
  poller_rests_ = true;
  if (waits_) {
    look = Look::beside_an_instance;
    return next_wake(now);
  }
  bool may_sleep = true;
  for (const std::shared_ptr<ServerSession>& session : sessions_) may_sleep = session->begin_sleep() && may_sleep;
  return may_sleep ? next_wake(now) : TimePoint{};
}

/// Of the poller. After the alarm the instance has been away for long.
void ChannelServer::end_rest(bool alarm) {
  poller_rests_ = false;
  if (!alarm_is_set_) return;
  alarm_->clear();
  alarm_is_set_ = false;
  if (!alarm) return;
  looked_before_ = looked_.load(std::memory_order_relaxed);
  looked_at_ = TimePoint{};
}

void ChannelServer::look_at_sockets(Look look) {
  std::vector<platform::NativeHandle> handles{doorbell_->wait_handle(), alarm_->wait_handle()};
  std::vector<std::size_t> begins;
  Sessions sessions;  // while the system looks at their handles
  bool accepts = false;
  TimePoint deadline;
  {
    MutexLock lock(serving_);
    const TimePoint now = monotonic_clock().now();
    deadline = begin_look(look, now);
    sessions = sessions_;
    accepts = may_accept(now);
    if (accepts) handles.push_back(listener_->wait_handle());
    for (const std::shared_ptr<ServerSession>& session : sessions) {
      begins.push_back(handles.size());
      session->append_wait_handles(handles, look == Look::asleep);
    }
  }
  begins.push_back(handles.size());
  const std::vector<std::size_t> ready = platform::wait_for_any(handles, deadline);
  MutexLock lock(serving_);
  end_rest(std::ranges::find(ready, kAlarmPlace) != ready.end());
  if (look == Look::asleep) {
    // An instance that went to sleep at the bells meanwhile has not heard those that this thread has.
    if (waits_) {
      instance_bell_->ring();
    } else {
      for (const std::shared_ptr<ServerSession>& session : sessions_) session->end_sleep();
    }
  }
  if (!ready.empty() && ready.front() == 0) {
    (void)doorbell_->wait(TimePoint{});
    do_posted();
  }
  serve_ready(sessions, begins, ready);
  if (accepts && std::ranges::find(ready, kListenerPlace) != ready.end()) accept_some();
}

void ChannelServer::serve_ready(const Sessions& sessions, const std::vector<std::size_t>& begins,
                                const std::vector<std::size_t>& ready) {
  const TimePoint now = monotonic_clock().now();
  std::size_t at = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    ServerSession& session = *sessions[i];
    while (at < ready.size() && ready[at] < begins[i]) ++at;
    const bool is_ready = at < ready.size() && ready[at] < begins[i + 1];
    serve(session, [&] {
      if (now >= session.hello_by()) throw Error(ErrorCode::protocol_error, "a client did not say hello in time");
      return is_ready || session.is_waiting() ? session.serve_socket() : true;
    });
    bytes += session.shared_memory_bytes();
  }
  end_overdue_leases(now);
  forget_ended();
  input_bytes_ = bytes;
}

TimePoint ChannelServer::next_wake(TimePoint now) const {
  TimePoint wake = accept_from_ > now ? accept_from_ : TimePoint::max();
  if (const auto lease = worker_.core.config().output_lease; lease && !sessions_.empty()) {
    wake = std::min(wake, later(leases_from_, *lease));
  }
  for (const std::shared_ptr<ServerSession>& session : sessions_) {
    wake = std::min(wake, session->is_waiting() ? later(now, kRetryTime) : session->hello_by());
  }
  return wake;
}

void ChannelServer::forget_ended() {
  std::erase_if(sessions_, [](const std::shared_ptr<ServerSession>& session) { return session->is_over(); });
  std::erase_if(processes_, [](const auto& known) { return known.second.expired(); });
}

/// A session's memory is never given to another while its client may read it: the session ends, and its segments go.
void ChannelServer::end_overdue_leases(TimePoint now) {
  const std::optional<Duration> lease = worker_.core.config().output_lease;
  if (!lease || now < later(leases_from_, *lease)) return;
  leases_from_ = now;
  for (const std::shared_ptr<ServerSession>& session : sessions_) {
    serve(*session, [&] {
      (void)session->serve_ring();  // nobody is woken for what comes back
      if (!session->lease_is_over()) return true;
      throw Error(ErrorCode::rejected, "a client kept an output for longer than output_lease, which is " +
                                           std::to_string(std::chrono::duration_cast<milliseconds>(*lease).count()) +
                                           " ms");
    });
  }
}

void ChannelServer::end_all() noexcept {
  const TimePoint until = later(monotonic_clock().now(), kLastWordsTime);
  const auto last_words_wait = [this] {
    MutexLock lock(serving_);
    return std::ranges::any_of(sessions_, [](const auto& session) { return session->is_waiting(); });
  };
  try {
    while (last_words_wait() && monotonic_clock().now() < until) {
      look_at_sockets(Look::beside_an_instance);
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): they see the end
  }
  MutexLock lock(serving_);
  for (const std::shared_ptr<ServerSession>& session : sessions_) session->end(nullptr);
  sessions_.clear();
}

}  // namespace remotemedia::detail
