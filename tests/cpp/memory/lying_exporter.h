// SPDX-License-Identifier: Apache-2.0
//
// LyingExporter: an exporter of one block that says whatever its test likes.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "remotemedia/memory/export_access.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"
#include "testing/event_count.h"

namespace remotemedia::testing {

/// Listens at a broker's address, and answers what its test likes.
class LyingExporter {
 public:
  static constexpr std::size_t kBytes = 5000;  // of its block

  LyingExporter() {
    platform::random_bytes(id_.broker);
    listener_ = platform::ChannelListener::listen(broker_address(id_.broker));
    thread_ = std::thread([this] { run(); });
  }
  LyingExporter(const LyingExporter&) = delete;
  LyingExporter& operator=(const LyingExporter&) = delete;
  ~LyingExporter() {
    ending_ = true;
    doorbell_.ring();
    thread_.join();
  }

  std::string id() const { return to_text(id_); }

  // What is said, to be changed before anybody imports. None: the truth.
  std::function<void(OpenedAnswer&)> opened;                // before it is sent
  std::function<void(std::vector<std::byte>&)> open_bytes;  // of that message
  std::size_t handles_with_opened = 0;
  std::size_t handles_with_mapped = 1;
  std::function<platform::OwnedHandle()> handle;  // instead of the segment's
  std::function<void(MappedAnswer&)> mapped;
  std::function<bool(platform::DescriptorChannel&, std::span<const std::byte>)> instead;  // true: it has answered

  EventCount releases;

  const BlocksOfASegment& blocks() const { return blocks_; }

 private:
  static TimePoint soon() { return later(monotonic_clock().now(), std::chrono::seconds{30}); }

  void run() {
    std::vector<platform::DescriptorChannel> channels;
    while (!ending_) {
      std::vector<platform::NativeHandle> handles{doorbell_.wait_handle(), listener_.wait_handle()};
      for (const platform::DescriptorChannel& channel : channels) handles.push_back(channel.wait_handle());
      std::vector<std::size_t> ready = platform::wait_for_any(handles, TimePoint::max());
      for (auto i = ready.rbegin(); i != ready.rend() && *i >= 2; ++i) {
        if (!serve(channels[*i - 2])) channels.erase(channels.begin() + static_cast<std::ptrdiff_t>(*i - 2));
      }
      if (std::optional<platform::DescriptorChannel> caller = listener_.accept(TimePoint{})) {
        channels.push_back(*std::move(caller));
      }
    }
  }

  bool serve(platform::DescriptorChannel& channel) {
    platform::Message message;
    if (channel.receive(message, soon()) != platform::DescriptorChannel::Received::message) return false;
    const ExportMessageHeader header = read_message_header(message.bytes);
    if (instead && instead(channel, message.bytes)) return true;
    switch (static_cast<ExportMessage>(header.kind)) {
      case ExportMessage::open:
        return answer_open(channel, header.request);
      case ExportMessage::map:
        return answer_map(channel, read_map_request(message.bytes));
      default:
        releases.add();
        return true;
    }
  }

  bool answer_open(platform::DescriptorChannel& channel, std::uint64_t request) {
    OpenedAnswer answer = with_header(OpenedAnswer{.header = {},
                                                   .hold = ++last_hold_,
                                                   .segment = blocks_.segment().header().uuid,
                                                   .segment_bytes = blocks_.segment().size(),
                                                   .offset = kSegmentHeaderBytes,
                                                   .bytes = kBytes},
                                      request);
    if (opened) opened(answer);
    std::vector<std::byte> bytes(sizeof(answer));
    std::memcpy(bytes.data(), &answer, sizeof(answer));
    if (open_bytes) open_bytes(bytes);
    return send(channel, bytes, handles_with_opened);
  }

  bool answer_map(platform::DescriptorChannel& channel, const MapRequest& request) {
    MappedAnswer answer = with_header(MappedAnswer{.header = {}, .hold = request.hold}, request.header.request);
    if (mapped) mapped(answer);
    return send(channel, bytes_of(answer), handles_with_mapped);
  }

  bool send(platform::DescriptorChannel& channel, std::span<const std::byte> bytes, std::size_t count) {
    const platform::OwnedHandle sent =
        handle ? handle() : blocks_.segment().memory().handle_for(platform::Access::read_only);
    const std::vector<platform::NativeHandle> handles(count, sent.get());
    return channel.send(bytes, handles, soon());
  }

  ExportId id_;
  BlocksOfASegment blocks_{1, kBytes};
  platform::ChannelListener listener_;
  platform::Doorbell doorbell_ = platform::Doorbell::create();
  std::uint64_t last_hold_ = 0;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace remotemedia::testing
