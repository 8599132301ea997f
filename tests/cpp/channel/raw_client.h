// SPDX-License-Identifier: Apache-2.0
//
// A client that a test writes by hand: it says what it is told to, true or not.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "channel/served_channel.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/peer_segments.h"
#include "remotemedia/channel/session_rings.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::testing {

class RawClient {
 public:
  explicit RawClient(const ServedChannel& served)
      : channel_(platform::DescriptorChannel::connect(served.endpoint().substr(5), soon())) {}

  static detail::HelloMessage hello(std::byte id = std::byte{9}) {
    detail::HelloMessage hello;
    hello.client.fill(id);
    return hello;
  }

  template <class M>
  bool say(const M& message) {
    return say_bytes(detail::write_message(message));
  }
  bool say_bytes(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles = {}) {
    return channel_.send(bytes, handles, soon());
  }

  /// The next message; nothing at the end.
  std::optional<detail::WorkerMessage> hear() {
    using Received = platform::DescriptorChannel::Received;
    const Received received = channel_.receive(heard_, soon());
    EXPECT_NE(received, Received::nothing) << "the worker says nothing";
    if (received != Received::message) return std::nullopt;
    return detail::read_worker_message(heard_.bytes);
  }

  /// The next message that is an M.
  template <class M>
  M hear_a() {
    while (std::optional<detail::WorkerMessage> message = hear()) {
      if (auto* const wanted = std::get_if<M>(&*message)) return std::move(*wanted);
    }
    ADD_FAILURE() << "the session has ended";
    return {};
  }

  /// What the worker says when it ends the session, which it does.
  std::optional<detail::RefusedMessage> hear_the_end() {
    std::optional<detail::RefusedMessage> refused;
    while (std::optional<detail::WorkerMessage> message = hear()) {
      if (auto* const last = std::get_if<detail::RefusedMessage>(&*message)) refused = std::move(*last);
    }
    return refused;
  }

  void shake_hands(const detail::HelloMessage& hello = RawClient::hello()) {
    say(hello);
    welcome_ = hear_a<detail::WelcomeMessage>();
    if (welcome_.limits.ring_depth == 0) return;
    detail::MappedMessage mapped;
    for (std::size_t i = 0; i < welcome_.segments.size(); ++i) {
      const detail::SegmentGrant& grant = welcome_.segments[i];
      const bool is_written = grant.role != detail::SegmentRole::worker_control;
      mappings_.push_back(detail::map_granted(grant, std::move(heard_.handles[i]),
                                              is_written ? platform::Access::read_write : platform::Access::read_only));
      if (is_written) mapped.segments.push_back(grant.number);
    }
    workers_bell_ = platform::Doorbell::adopt(std::move(heard_.handles[mappings_.size()]));
    own_bell_ = platform::Doorbell::adopt(std::move(heard_.handles[mappings_.size() + 1]));
    rings_ = std::make_unique<detail::SessionRings>(
        control(), mappings_[1].bytes().subspan(kSegmentHeaderBytes), welcome_.limits.ring_depth,
        platform::Doorbell::adopt(own_bell_.duplicate()), platform::Doorbell::adopt(workers_bell_.duplicate()));
    say(mapped);
  }

  const detail::WelcomeMessage& welcome() const { return welcome_; }
  platform::DescriptorChannel& channel() { return channel_; }
  detail::SessionRings& rings() { return *rings_; }

  /// What it alone writes: how far it has read at 0, how far it has written at 128.
  std::span<std::byte> control() { return mappings_[0].bytes().subspan(kSegmentHeaderBytes); }
  void claim(std::size_t at, std::uint64_t count) {
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(control().data() + at)).store(count);
  }

  platform::NativeHandle workers_bell() const { return workers_bell_.wait_handle(); }
  platform::NativeHandle own_bell() const { return own_bell_.wait_handle(); }

  /// An input of 100 float32, right in every field.
  TensorDescriptor input(std::uint64_t request) const {
    TensorDescriptor descriptor = descriptor_of(row_major({100}, DataType::float32));
    descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
    descriptor.request_id = request;
    descriptor.segment = welcome_.segments[2].number;
    descriptor.generation = welcome_.segments[2].generation;
    descriptor.slot_offset = kSegmentHeaderBytes;
    descriptor.nbytes = 400;
    return descriptor;
  }

  /// False when the ring is full.
  bool push(const TensorDescriptor& descriptor) {
    const bool pushed = rings_->push(encode(descriptor));
    rings_->wake_peer();
    return pushed;
  }

  /// The next record that the worker sent, but for those that give inputs back. One of kind 0 when none comes.
  TensorDescriptor pop() {
    const TimePoint until = soon();
    Record record;
    while (monotonic_clock().now() < until) {
      if (!rings_->pop(record)) {
        std::this_thread::yield();
      } else if (decode(record).kind != static_cast<std::uint8_t>(DescriptorKind::release)) {
        return decode(record);
      }
    }
    ADD_FAILURE() << "no record comes";
    return {};
  }

 private:
  platform::DescriptorChannel channel_;
  platform::Message heard_;
  detail::WelcomeMessage welcome_;
  std::vector<platform::Mapping> mappings_;
  platform::Doorbell workers_bell_;
  platform::Doorbell own_bell_;
  std::unique_ptr<detail::SessionRings> rings_;
};

}  // namespace remotemedia::testing
