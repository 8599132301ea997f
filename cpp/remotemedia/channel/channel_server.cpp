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

namespace remotemedia::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostSessions = 4096;
constexpr Duration kHelloTime = seconds{5};
constexpr Duration kAcceptPause = milliseconds{100};  // after the system had no handle or memory for one
constexpr int kMostAccepted = 64;                     // between two looks at the others
constexpr std::size_t kMostByDefault = std::size_t{10} << 30;

AllocatorConfig allocator_config(const WorkerConfig& config) {
  AllocatorConfig allocator;
  allocator.per_session_quota_bytes = config.memory_quota_bytes;
  allocator.first_segment_bytes = std::size_t{256} << 10;
  allocator.segment_bytes = std::size_t{32} << 20;
  allocator.segments_grow = true;
  allocator.low_water_bytes = std::numeric_limits<std::size_t>::max();  // clients have its segments mapped
  return allocator;
}

std::size_t quota_of(const WorkerConfig& config) {
  return config.memory_quota_bytes.value_or(
      std::min(kMostByDefault, platform::available_memory().value_or(kMostByDefault) / 2));
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
  alarm_.set(platform::Alarm::create());
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
  if (known.sessions++ == 0) known.number = new_client_id();
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

bool ChannelServer::may_accept(TimePoint now) const { return sessions_.size() < kMostSessions && now >= accept_from_; }

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

}  // namespace remotemedia::detail
