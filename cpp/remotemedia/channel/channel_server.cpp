// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/channel_server.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::detail {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostSessions = 4096;
constexpr Duration kHelloTime = seconds{5};
constexpr Duration kRetryTime = milliseconds{1};      // of what a full queue kept
constexpr Duration kLookTime = microseconds{100};     // between looks at the sockets while rings are busy
constexpr int kLooksAtOnce = 8;                       // of an instance
constexpr Duration kAcceptPause = milliseconds{100};  // after the system had no handle or memory for one
constexpr int kMostAccepted = 64;                     // between two looks at the others
constexpr Duration kLastWordsTime = seconds{2};
constexpr std::size_t kMostByDefault = std::size_t{10} << 30;

AllocatorConfig allocator_config(const WorkerConfig& config) {
  AllocatorConfig allocator;
  allocator.per_session_quota_bytes = config.memory_quota_bytes;
  allocator.first_segment_bytes = std::size_t{1} << 20;
  allocator.segment_bytes = std::size_t{32} << 20;
  allocator.low_water_bytes = std::numeric_limits<std::size_t>::max();  // clients have its segments mapped
  return allocator;
}

std::size_t quota_of(const WorkerConfig& config) {
  return config.memory_quota_bytes.value_or(
      std::min(kMostByDefault, platform::available_memory().value_or(kMostByDefault) / 2));
}

std::uint64_t next_client() noexcept {
  static std::atomic<std::uint64_t> last{0};  // of all listeners of this process: a worker's clients are numbered once
  return ++last;
}

/// Tells a client that is not to have a session. What it has said is read, or the system would take that for a reason
/// to drop what it is told.
void turn_away(platform::DescriptorChannel& channel, const std::string& why) {
  RefusedMessage refused;
  refused.code = ErrorCode::rejected;
  refused.text = why;
  channel.send(write_message(refused), {}, TimePoint{});
  channel.shut_down();
  platform::Message unread;
  while (channel.receive(unread, TimePoint{}) == platform::DescriptorChannel::Received::message) {
  }
}

}  // namespace

ChannelServer::ChannelServer(const ServedWorker& worker, const std::string& endpoint, const std::string& path)
    : worker_(worker),
      endpoint_(endpoint),
      fork_generation_(fork_generation()),
      quota_(quota_of(worker.core.config())),
      allocator_(allocator_config(worker.core.config())) {
  listener_.set(platform::ChannelListener::listen(path));
  doorbell_.set(platform::Doorbell::create());
  instance_bell_.set(platform::Doorbell::create());
  beside_ = std::make_unique<WorkThread>();
  poller_ = std::thread([this] { run(); });
  worker_.core.add_source(*this);
}

ChannelServer::~ChannelServer() { stop(); }

void ChannelServer::stop() noexcept {
  if (fork_generation() != fork_generation_) {
    (void)beside_.release();  // its thread is the parent's
    if (poller_.joinable()) poller_.detach();
    return;
  }
  if (!poller_.joinable()) return;
  worker_.core.remove_source(*this);
  ending_ = true;
  doorbell_->ring();
  poller_.join();
  beside_.reset();
  listener_.reset();
  allocator_.close();
}

std::uint64_t ChannelServer::enter(const ClientId& client) {
  KnownClient& known = clients_[client];
  if (known.sessions++ == 0) known.number = next_client();
  return known.number;
}

bool ChannelServer::leave(const ClientId& client) noexcept {
  const auto found = clients_.find(client);
  if (found == clients_.end() || --found->second.sessions > 0) return false;
  clients_.erase(found);
  return true;
}

void ChannelServer::run_beside(std::function<void()> work) { beside_->run(std::move(work)); }

void ChannelServer::run_on_poller(std::function<void()> work) {
  {
    MutexLock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  doorbell_->ring();
}

void ChannelServer::wake_poller() noexcept { doorbell_->ring(); }

void ChannelServer::announce_drain() noexcept {
  if (fork_generation() != fork_generation_) return;
  try {
    run_on_poller([this]() REMOTEMEDIA_REQUIRES(serving_) {
      for (const std::shared_ptr<ServerSession>& session : sessions_) session->announce_drain();
    });
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): calls will be refused
  }
}

std::size_t ChannelServer::shared_memory_bytes() const noexcept {
  return input_bytes_ + allocator_.metrics().bytes_reserved;
}

bool ChannelServer::look() noexcept {
  looked_.store(looked_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!looks_.load(std::memory_order_relaxed)) looks_ = true;
  MutexLock lock(serving_);
  for (int looks = 0; looks < kLooksAtOnce; ++looks) {
    if (serve_rings()) return true;
  }
  return false;
}

bool ChannelServer::wait() noexcept {
  bool poller_rests = false;
  try {
    std::vector<platform::NativeHandle> handles{instance_bell_->wait_handle()};
    Sessions heard;
    std::vector<std::shared_ptr<SessionRings>> rings;  // their bells, whatever becomes of the sessions
    bool may_sleep = true;
    {
      MutexLock lock(serving_);
      for (const std::shared_ptr<ServerSession>& session : sessions_) {
        if (session->is_waiting()) return false;
        if (session->rings() == nullptr) continue;
        heard.push_back(session);
        rings.push_back(session->rings());
        handles.push_back(rings.back()->wait_handle());
        may_sleep = session->begin_sleep() && may_sleep;
      }
      waits_ = true;
      looks_ = true;
    }
    const std::vector<std::size_t> ready = platform::wait_for_any(handles, may_sleep ? TimePoint::max() : TimePoint{});
    MutexLock lock(serving_);
    waits_ = false;
    looked_.store(looked_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    auto next = ready.begin();
    if (next != ready.end() && *next == 0) {
      (void)instance_bell_->wait(TimePoint{});
      ++next;
    }
    for (std::size_t i = 0; i < heard.size(); ++i) {
      const bool rung = next != ready.end() && *next == i + 1;
      if (rung) ++next;
      heard[i]->end_sleep(rung);
    }
    serve_rings();
    poller_rests = std::exchange(poller_rests_, false);
  } catch (const std::exception&) {
    waits_ = false;
    return false;
  }
  if (poller_rests) doorbell_->ring();  // this instance may run its model for long
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

void ChannelServer::forget_ended() {
  std::erase_if(sessions_, [](const std::shared_ptr<ServerSession>& session) { return session->is_over(); });
  std::erase_if(processes_, [](const auto& known) { return known.second.expired(); });
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

void ChannelServer::look_at_sockets(Look look) {
  std::vector<platform::NativeHandle> handles{doorbell_->wait_handle()};
  std::vector<std::size_t> begins;
  Sessions sessions;  // while the system looks at their handles
  bool accepts = false;
  TimePoint deadline;
  {
    MutexLock lock(serving_);
    const TimePoint now = monotonic_clock().now();
    deadline = begin_look(look, now);
    sessions = sessions_;
    accepts = sessions.size() < kMostSessions && now >= accept_from_;
    if (accepts) handles.push_back(listener_->wait_handle());
    for (const std::shared_ptr<ServerSession>& session : sessions) {
      begins.push_back(handles.size());
      session->append_wait_handles(handles, look == Look::asleep);
    }
  }
  begins.push_back(handles.size());
  const std::vector<std::size_t> ready = platform::wait_for_any(handles, deadline);
  MutexLock lock(serving_);
  poller_rests_ = false;
  if (look == Look::asleep && !waits_) {
    for (const std::shared_ptr<ServerSession>& session : sessions_) session->end_sleep();
  }
  if (!ready.empty() && ready.front() == 0) {
    (void)doorbell_->wait(TimePoint{});
    do_posted();
  }
  serve_ready(sessions, begins, ready);
  if (accepts && std::ranges::find(ready, std::size_t{1}) != ready.end()) accept_some();
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

/// A session's memory is never given to another while its client may read it: the session ends, and its segments go.
void ChannelServer::end_overdue_leases(TimePoint now) {
  const std::optional<Duration> lease = worker_.core.config().output_lease;
  if (!lease || now < later(leases_from_, *lease)) return;
  leases_from_ = now;
  for (const std::shared_ptr<ServerSession>& session : sessions_) {
    serve(*session, [&] {
      (void)session->serve_ring();  // nobody is woken for small ones that come back
      if (!session->lease_is_over()) return true;
      throw Error(ErrorCode::rejected, "a client kept an output for longer than output_lease, which is " +
                                           std::to_string(std::chrono::duration_cast<milliseconds>(*lease).count()) +
                                           " ms");
    });
  }
}

void ChannelServer::accept_some() {
  for (int accepted = 0; accepted < kMostAccepted && sessions_.size() < kMostSessions; ++accepted) {
    std::optional<platform::DescriptorChannel> channel;
    try {
      channel = listener_->accept(TimePoint{});
    } catch (const Error&) {
      accept_from_ = later(monotonic_clock().now(), kAcceptPause);
      return;
    }
    if (!channel) return;
    try {
      accept(std::move(*channel));
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): whatever it is, others are accepted
    }
  }
}

void ChannelServer::accept(platform::DescriptorChannel channel) {
  const std::int64_t pid = channel.peer().process;
  std::shared_ptr<ClientProcess> process = process_of(pid);
  const std::size_t most = worker_.core.config().max_connections;
  if (process->sessions >= most) {
    turn_away(channel, "process " + std::to_string(pid) + " has " + std::to_string(most) +
                           " connections to this worker, and max_connections permits no more: close one");
    return;
  }
  sessions_.push_back(std::make_shared<ServerSession>(*this, std::move(channel), std::move(process),
                                                      "client " + std::to_string(++last_session_),
                                                      later(monotonic_clock().now(), kHelloTime)));
}

std::shared_ptr<ClientProcess> ChannelServer::process_of(std::int64_t process) {
  std::weak_ptr<ClientProcess>& known = processes_[process];
  std::shared_ptr<ClientProcess> found = known.lock();
  if (found == nullptr) known = found = std::make_shared<ClientProcess>(quota_);
  return found;
}

void ChannelServer::do_posted() {
  std::vector<std::function<void()>> posted;
  {
    MutexLock lock(mutex_);
    posted.swap(posted_);
  }
  for (const std::function<void()>& work : posted) {
    try {
      work();
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the others are not to miss theirs
    }
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
