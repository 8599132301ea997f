// SPDX-License-Identifier: Apache-2.0
//
// How a session comes to be: versions, limits, memory.

#include <algorithm>
#include <bit>
#include <exception>
#include <limits>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/protocol_version.h"
#include "remotemedia/channel/server_session.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::detail {
namespace {

constexpr std::uint32_t kGeneration = 1;
constexpr std::uint32_t kRingDepth = 256;
constexpr std::uint32_t kMostRingDepth = 4096;
constexpr std::size_t kFirstInputBytes = std::size_t{256} << 10;
constexpr std::size_t kLeastInputBytes = std::size_t{4} << 20;
constexpr std::size_t kMostInputStep = std::size_t{64} << 20;

std::uint32_t as_limit(std::size_t limit) noexcept {
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(limit, 1, std::numeric_limits<std::uint32_t>::max()));
}

/// What the worker has for one client.
class SessionCaller final : public Caller {
 public:
  SessionCaller(std::uint64_t client_id, std::shared_ptr<OutputArena> outputs) noexcept
      : Caller(client_id, to_string(Transport::shared_memory)), outputs_(std::move(outputs)) {}

  TensorBuffer allocate(const Dims& shape, DataType dtype) override { return outputs_->allocate(shape, dtype); }

 private:
  std::shared_ptr<OutputArena> outputs_;
};

}  // namespace

void ServerSession::take(const HelloMessage& hello) {
  const std::optional<ProtocolVersion> version = choose_version(hello.versions, kUnderstoodVersions);
  if (!version) {
    const RefusedMessage refused = other_version(hello);
    throw Error(refused.code, refused.text);
  }
  Packet packet;
  WelcomeMessage greeting = welcome(hello, packet);
  greeting.version = *version;
  packet.bytes = write_message(greeting);
  client_ = hello.client;
  outputs_ =
      std::make_shared<OutputArena>(host_.allocator(), name_, process_, outbox_, next_segment_, rings_ != nullptr);
  caller_ = std::make_shared<SessionCaller>(host_.enter(client_), outputs_);
  hello_by_ = TimePoint::max();
  std::vector<Outgoing> items;
  items.emplace_back(std::move(packet));
  outbox_->send(std::move(items));
}

WelcomeMessage ServerSession::welcome(const HelloMessage& hello, Packet& packet) {
  const WorkerCore& core = host_.worker().core;
  const WorkerInfo info = host_.worker().status();
  WelcomeMessage welcome;
  welcome.worker_id = info.worker_id;
  welcome.model_id = core.model_id();
  welcome.device = core.device();
  welcome.signature = core.signature();
  welcome.max_batch_size = core.max_batch_size();
  welcome.limits.unanswered_calls = as_limit(core.config().max_concurrent_requests);
  welcome.limits.inline_bytes = static_cast<std::uint32_t>(kMaxInlineBytes);
  welcome.limits.stream_window = as_limit(core.config().stream_window);
  if (!hello.shared_memory) return welcome;
  const std::uint32_t wanted = hello.ring_depth != 0 ? hello.ring_depth : kRingDepth;
  try {
    make_rings(std::min(wanted, kMostRingDepth), welcome, packet);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::out_of_memory && error.code() != ErrorCode::shared_memory_unavailable) throw;
    welcome.limits.ring_depth = 0;
    welcome.segments.clear();
    packet.handles.clear();
    unsealed_.clear();
    input_bytes_ = 0;
  }
  return welcome;
}

void ServerSession::make_rings(std::uint32_t depth, WelcomeMessage& welcome, Packet& packet) {
  const std::shared_ptr<Segment> clients = Segment::create(control_bytes(depth), SegmentWriters::anybody_shown);
  const std::shared_ptr<Segment> ours = Segment::create(control_bytes(depth), SegmentWriters::creator_only);
  const std::size_t first_inputs = std::clamp<std::size_t>(process_->inputs.left(), 1, kFirstInputBytes);
  const std::shared_ptr<Segment> inputs = Segment::create(first_inputs, SegmentWriters::anybody_shown);
  platform::Doorbell bell = platform::Doorbell::create();
  platform::Doorbell clients_bell = platform::Doorbell::create();

  welcome.limits.ring_depth = depth;
  welcome.segments.push_back(grant_of(SegmentRole::client_control, *clients, platform::Access::read_write, packet));
  welcome.segments.push_back(grant_of(SegmentRole::worker_control, *ours, platform::Access::read_only, packet));
  welcome.segments.push_back(grant_of(SegmentRole::inputs, *inputs, platform::Access::read_write, packet));
  inputs_.add(welcome.segments.back(), inputs->data(), inputs);
  unsealed_.emplace(welcome.segments[0].number, clients);
  unsealed_.emplace(welcome.segments[2].number, inputs);
  input_bytes_ = inputs->size();
  process_->inputs.take_anyway(first_inputs);
  counted_inputs_ = first_inputs;
  packet.handles.push_back(bell.duplicate());
  packet.handles.push_back(clients_bell.duplicate());

  const auto behind_header = [](const Segment& segment) {
    return std::span(segment.data(), segment.size()).subspan(kSegmentHeaderBytes);
  };
  segments_ = {clients, ours, inputs};
  ring_depth_ = depth;
  rings_ = std::make_shared<SessionRings>(behind_header(*ours), behind_header(*clients), depth, std::move(bell),
                                          std::move(clients_bell));
  outbox_->use(rings_);
  host_.rings_made();
}

SegmentGrant ServerSession::grant_of(SegmentRole role, const Segment& segment, platform::Access access,
                                     Packet& packet) {
  packet.handles.push_back(segment.memory().handle_for(access));
  return {role, next_segment_++, kGeneration, segment.size(), segment.header().uuid};
}

void ServerSession::take(const MappedMessage& mapped) {
  for (const std::uint32_t number : mapped.segments) {
    const auto found = unsealed_.find(number);
    if (found == unsealed_.end()) continue;
    found->second->forbid_new_writers();
    unsealed_.erase(found);
  }
}

void ServerSession::take(const AskSegmentMessage& ask) {
  const std::size_t left = process_->inputs.left();
  if (rings_ == nullptr || ask.bytes > left || next_segment_ >= kMaxSegments) {
    fail(ask.request, rings_ == nullptr ? ErrorCode::shared_memory_unavailable : ErrorCode::quota_exceeded,
         "memory_quota_bytes permits one process " + std::to_string(process_->inputs.most()) +
             " bytes of inputs in shared memory, of which " + std::to_string(left) + " are left; " +
             std::to_string(ask.bytes) + " were asked for");
    return;
  }
  const std::size_t step = std::clamp(input_bytes_, kLeastInputBytes, kMostInputStep);
  const std::size_t bytes = std::min(std::max(static_cast<std::size_t>(ask.bytes), step), left);
  process_->inputs.take_anyway(bytes);
  counted_inputs_ += bytes;
  host_.run_beside([self = shared_from_this(), request = ask.request, bytes] {
    std::shared_ptr<Segment> segment;
    std::exception_ptr error;
    try {
      segment = Segment::create(bytes, SegmentWriters::anybody_shown);
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    self->host_.run_on_poller([self, request, bytes, segment, error] {
      if (self->is_over()) return;
      try {
        if (error != nullptr) std::rethrow_exception(error);
        self->add_input_segment(segment, request);
      } catch (const std::exception&) {
        self->process_->inputs.give_back(bytes);
        self->counted_inputs_ -= bytes;
        self->fail(request, std::current_exception());
      }
    });
  });
}

void ServerSession::add_input_segment(const std::shared_ptr<Segment>& segment, std::uint64_t request) {
  Packet packet;
  const SegmentGrant grant = grant_of(SegmentRole::inputs, *segment, platform::Access::read_write, packet);
  inputs_.add(grant, segment->data(), segment);
  segments_.push_back(segment);
  unsealed_.emplace(grant.number, segment);
  input_bytes_ += segment->size();
  packet.bytes = write_message(SegmentsMessage{request, {grant}});
  std::vector<Outgoing> items;
  items.emplace_back(std::move(packet));
  outbox_->send(std::move(items));
}

}  // namespace remotemedia::detail
