// SPDX-License-Identifier: Apache-2.0
//
// A session's begin and end.

#include "remotemedia/channel/client_session.h"

#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// After which a worker that has said nothing may have died.
constexpr Duration kQuietTime = std::chrono::milliseconds{10};

platform::DescriptorChannel connected(const std::string& endpoint, const std::string& path, TimePoint deadline) {
  try {
    return platform::DescriptorChannel::connect(path, deadline);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::shared_memory_unavailable) throw;
    std::throw_with_nested(Error(ErrorCode::worker_unavailable, "no worker listens at " + endpoint));
  }
}

}  // namespace

std::shared_ptr<ClientSession> ClientSession::connect(const std::string& endpoint, const std::string& path,
                                                      const ClientId& client, TimePoint deadline) {
  platform::DescriptorChannel channel = connected(endpoint, path, deadline);
  if (!channel.peer().same_user) {
    throw Error(ErrorCode::worker_unavailable, "another user's process listens at " + endpoint);
  }
  return over(endpoint, std::move(channel), client, deadline);
}

std::shared_ptr<ClientSession> ClientSession::over(std::string endpoint, platform::DescriptorChannel channel,
                                                   const ClientId& client, TimePoint deadline) {
  auto session = std::make_shared<ClientSession>(std::move(endpoint), std::move(channel));
  session->shake_hands(client, deadline);
  return session;
}

ClientSession::ClientSession(std::string endpoint, platform::DescriptorChannel channel)
    : endpoint_(std::move(endpoint)),
      fork_generation_(fork_generation()),
      watch_(platform::PeerWatch::of(channel)),
      outbox_(std::make_shared<Outbox>(channel_, nullptr)),
      outputs_(outbox_, kTensorOfMessage | kInputsLetGo | kInline) {
  channel_.set(std::move(channel));
  wake_.set(platform::Doorbell::create());
}

ClientSession::~ClientSession() {
  if (fork_generation() == fork_generation_) close();
  if (own_thread_.joinable()) own_thread_.detach();  // the parent's, or this one, which is at its end
}

void ClientSession::shake_hands(const ClientId& client, TimePoint deadline) {
  HelloMessage hello;
  hello.client = client;
  const bool sent = channel_->send(write_message(hello), {}, deadline);
  platform::Message message;  // a refusal does not wait for a hello
  switch (channel_->receive(message, sent ? deadline : TimePoint{})) {
    case platform::DescriptorChannel::Received::message:
      take_welcome(message);
      return;
    case platform::DescriptorChannel::Received::closed:
      std::rethrow_exception(gone());
    case platform::DescriptorChannel::Received::nothing:
      if (!sent) std::rethrow_exception(gone());
      throw Error(ErrorCode::deadline_exceeded, "the worker at " + endpoint_ + " does not answer");
  }
}

void ClientSession::take_welcome(platform::Message& message) {
  WorkerMessage read = read_worker_message(message.bytes);
  if (const auto* const refused = std::get_if<RefusedMessage>(&read)) {
    throw Error(refused->code, "the worker at " + endpoint_ + " refuses: " + refused->text);
  }
  auto* const welcome = std::get_if<WelcomeMessage>(&read);
  if (welcome == nullptr) refuse("its first message is no welcome");
  if (message.handles.size() != welcome->handles()) refuse("its welcome came with other handles than it names");
  worker_ = {std::move(welcome->worker_id), std::move(welcome->model_id), std::move(welcome->device),
             std::move(welcome->signature), welcome->max_batch_size};
  limits_ = welcome->limits;
  if (limits_.ring_depth == 0) return;

  std::vector<platform::OwnedHandle>& handles = message.handles;
  platform::Doorbell workers_bell = platform::Doorbell::adopt(std::move(handles[handles.size() - 2]));
  platform::Doorbell bell = platform::Doorbell::adopt(std::move(handles[handles.size() - 1]));
  std::span<std::byte> own;
  std::span<const std::byte> workers;
  std::vector<SegmentGrant> others;
  std::vector<platform::OwnedHandle> others_handles;
  MappedMessage mapped;
  for (std::size_t i = 0; i < welcome->segments.size(); ++i) {
    const SegmentGrant& grant = welcome->segments[i];
    const bool is_own = grant.role == SegmentRole::client_control;
    if (!is_own && grant.role != SegmentRole::worker_control) {
      others.push_back(grant);
      others_handles.push_back(std::move(handles[i]));
      continue;
    }
    const auto access = is_own ? platform::Access::read_write : platform::Access::read_only;
    control_.push_back(map_granted(grant, std::move(handles[i]), access));
    const std::span<std::byte> bytes = control_.back().bytes().subspan(kSegmentHeaderBytes);
    if (is_own) {
      own = bytes;
      mapped.segments.push_back(grant.number);
    } else {
      workers = bytes;
    }
  }
  const std::size_t needed = control_bytes(limits_.ring_depth);
  if (own.size() < needed || workers.size() < needed) refuse("its rings are smaller than it says");
  inputs_ = std::make_shared<InputArena>();
  rings_ = std::make_shared<SessionRings>(own, workers, limits_.ring_depth, std::move(bell), std::move(workers_bell));
  outbox_->use(rings_);
  outbox_->send(write_message(mapped));
  if (!others.empty()) add_segments(others, others_handles);
}

void ClientSession::add_segments(std::span<const SegmentGrant> segments, std::vector<platform::OwnedHandle>& handles) {
  if (handles.size() != segments.size()) refuse("segments came with other handles than they name");
  MappedMessage mapped;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentGrant& grant = segments[i];
    if (rings_ == nullptr) refuse("it sent a segment where there are no rings");
    if (grant.role == SegmentRole::inputs) {
      inputs_->add(grant, map_granted(grant, std::move(handles[i]), platform::Access::read_write));
      mapped.segments.push_back(grant.number);
    } else {
      auto mapping = std::make_shared<const platform::Mapping>(
          map_granted(grant, std::move(handles[i]), platform::Access::read_only));
      const std::byte* const base = mapping->data();
      outputs_.add(grant, base, std::move(mapping));
    }
  }
  if (!mapped.segments.empty()) outbox_->send(write_message(mapped));
}

void ClientSession::check_usable() {
  if (fork_generation() != fork_generation_) {
    throw Error(ErrorCode::worker_unavailable,
                "this process was forked, and its connection to " + endpoint_ + " is its parent's: connect anew");
  }
  const Duration now = monotonic_clock().coarse_now().time_since_epoch();
  if (now - heard_at_.load(std::memory_order_relaxed) > kQuietTime) {
    heard_at_.store(now, std::memory_order_relaxed);
    if (watch_.wait(TimePoint{})) end(gone());
  }
  if (over_.load(std::memory_order_acquire)) std::rethrow_exception(gone());
}

bool ClientSession::is_over() const noexcept {
  return fork_generation() != fork_generation_ || over_.load(std::memory_order_acquire);
}

void ClientSession::refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the worker is refused: " + why);
}

std::exception_ptr ClientSession::gone() const {
  return std::make_exception_ptr(Error(ErrorCode::worker_unavailable, "the worker at " + endpoint_ + " has gone"));
}

void ClientSession::add(std::uint64_t number, Pending&& pending) {
  MutexLock lock(mutex_);
  if (over_) std::rethrow_exception(gone());
  const bool for_own_thread = pending.receiver == ReceivedBy::connection;
  const TimePoint deadline = pending.deadline;
  pending_.try_emplace(number, std::move(pending));
  if (!for_own_thread) return;
  if (deadline != TimePoint::max()) {
    if (deadline < next_deadline()) wake_->ring();
    deadlines_.emplace(deadline, number);
  }
  ++for_own_thread_;
  if (!own_thread_.joinable()) own_thread_ = std::thread([self = shared_from_this()] { self->run_own_thread(); });
  if (std::exchange(own_thread_sleeps_, false)) changed_.notify_all();
}

/// What the worker may still read is kept until it gives that back.
std::optional<ClientSession::Pending> ClientSession::remove(std::uint64_t number, Inputs inputs) {
  LentBlocks given_back;  // let go without the mutex
  MutexLock lock(mutex_);
  const auto found = pending_.find(number);
  if (found == pending_.end()) {
    if (inputs == Inputs::let_go && !lent_.empty()) {
      if (const auto ended = lent_.find(number); ended != lent_.end()) {
        given_back = std::move(ended->second);
        lent_.erase(ended);
      }
    }
    return std::nullopt;
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (inputs == Inputs::may_be_read && !pending.lent.empty()) lent_.emplace(number, std::move(pending.lent));
  if (pending.receiver == ReceivedBy::connection) {
    --for_own_thread_;
    if (pending.deadline != TimePoint::max()) deadlines_.erase({pending.deadline, number});
  }
  return pending;
}

void ClientSession::end(const std::exception_ptr& why) noexcept {
  RecyclingHashMap<std::uint64_t, Pending> pending;
  std::unordered_map<std::uint64_t, LentBlocks> lent;
  {
    MutexLock lock(mutex_);
    if (over_) return;
    over_ = true;
    pending.swap(pending_);
    lent.swap(lent_);
    for_own_thread_ = 0;
    deadlines_.clear();
  }
  outbox_->close();
  channel_->shut_down();
  for (auto& [number, one] : pending) {
    if (one.on_answer) one.on_answer(Answer{{}, why, true});
  }
  lent.clear();
  pending.clear();
  MutexLock lock(mutex_);
  all_told_ = true;
  ++given_;
  changed_.notify_all();
}

void ClientSession::close() noexcept {
  if (fork_generation() != fork_generation_) return;
  end(std::make_exception_ptr(Error(ErrorCode::worker_unavailable, "the connection to " + endpoint_ + " was closed")));
  std::thread own;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    if (own_thread_.get_id() != std::this_thread::get_id()) own.swap(own_thread_);
  }
  if (own.joinable()) own.join();
}

}  // namespace remotemedia::detail
