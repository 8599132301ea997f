// SPDX-License-Identifier: Apache-2.0
//
// A worker with rings that a test writes by hand: it says what it is told to, true or not.

#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::testing {

/// Its model has an input x and outputs y and perhaps z, rows of float32.
class RingWorker {
 public:
  static constexpr std::uint32_t kDepth = 8;
  static constexpr std::size_t kBytes = 40'000;  ///< Of the segment of inputs, and of outputs.

  explicit RingWorker(bool two_outputs = false) {
    auto [near, far] = platform::DescriptorChannel::pair();
    channel_ = std::move(far);
    detail::WelcomeMessage welcome;
    welcome.signature.inputs = {{"x", DataType::float32, {-1}}};
    welcome.signature.outputs = {{"y", DataType::float32, {-1}}};
    if (two_outputs) welcome.signature.outputs.push_back({"z", DataType::float32, {-1}});
    welcome.limits.unanswered_calls = 100;
    welcome.limits.inline_bytes = 1000;
    welcome.limits.ring_depth = kDepth;
    std::vector<platform::OwnedHandle> handles;
    welcome.segments = {grant(detail::SegmentRole::client_control, detail::control_bytes(kDepth), handles),
                        grant(detail::SegmentRole::worker_control, detail::control_bytes(kDepth), handles),
                        grant(detail::SegmentRole::inputs, kBytes, handles),
                        grant(detail::SegmentRole::outputs, kBytes, handles)};
    platform::Doorbell own = platform::Doorbell::create();
    platform::Doorbell clients = platform::Doorbell::create();
    handles.push_back(own.duplicate());
    handles.push_back(clients.duplicate());
    say(welcome, handles);
    rings_.emplace(control(), behind_header(*segments_[0]), kDepth, std::move(own), std::move(clients));
    client_ = detail::ClientSession::over("unix:by hand", std::move(near), detail::ClientId{std::byte{1}}, soon());
  }

  ~RingWorker() { client_->close(); }
  RingWorker(const RingWorker&) = delete;
  RingWorker& operator=(const RingWorker&) = delete;

  detail::ClientSession& client() { return *client_; }
  platform::DescriptorChannel& channel() { return channel_; }

  template <class M>
  bool say(const M& message, std::span<const platform::OwnedHandle> handles = {}) {
    std::vector<platform::NativeHandle> sent;
    for (const platform::OwnedHandle& handle : handles) sent.push_back(handle.get());
    return channel_.send(detail::write_message(message), sent, soon());
  }

  /// A new segment, and a true word about it.
  detail::SegmentGrant grant(detail::SegmentRole role, std::size_t bytes, std::vector<platform::OwnedHandle>& handles) {
    using detail::SegmentRole;
    const bool is_clients = role == SegmentRole::client_control || role == SegmentRole::inputs;
    segments_.push_back(
        Segment::create(bytes, is_clients ? SegmentWriters::anybody_shown : SegmentWriters::creator_only));
    const Segment& made = *segments_.back();
    handles.push_back(
        made.memory().handle_for(is_clients ? platform::Access::read_write : platform::Access::read_only));
    return {role, static_cast<std::uint32_t>(segments_.size() - 1), 1, made.size(), made.header().uuid};
  }

  /// An output of 10 float32, right in every field.
  static TensorDescriptor output(std::uint64_t request) {
    TensorDescriptor descriptor = descriptor_of(row_major({10}, DataType::float32));
    descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::result);
    descriptor.request_id = request;
    descriptor.segment = 3;
    descriptor.generation = 1;
    descriptor.slot_offset = kSegmentHeaderBytes;
    descriptor.nbytes = 40;
    return descriptor;
  }

  bool push(const TensorDescriptor& descriptor) {
    const bool pushed = push_unheard(descriptor);
    rings_->wake_peer();
    return pushed;
  }
  bool push_unheard(const TensorDescriptor& descriptor) { return rings_->push(encode(descriptor)); }

  /// Or until it is about to.
  void wait_until_client_sleeps() const {
    auto& sleeping = *reinterpret_cast<std::uint32_t*>(behind_header(*segments_[0]).data() + 64);
    while (std::atomic_ref(sleeping).load() == 0) std::this_thread::yield();
  }

  /// Its own part of the rings: how far it has read at 0, how far it has written at 128.
  void claim(std::size_t at, std::uint64_t count) {
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(control().data() + at)).store(count);
    rings_->wake_peer();
  }

 private:
  static std::span<std::byte> behind_header(const Segment& segment) {
    return std::span(segment.data(), segment.size()).subspan(kSegmentHeaderBytes);
  }
  std::span<std::byte> control() { return behind_header(*segments_[1]); }

  platform::DescriptorChannel channel_;
  std::vector<std::shared_ptr<Segment>> segments_;
  std::optional<detail::SessionRings> rings_;
  std::shared_ptr<detail::ClientSession> client_;
};

}  // namespace remotemedia::testing
