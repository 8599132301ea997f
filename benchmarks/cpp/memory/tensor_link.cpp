// SPDX-License-Identifier: Apache-2.0

#include "tensor_link.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using platform::Access;
using platform::DescriptorChannel;

constexpr std::size_t kDepth = 1024;
constexpr std::size_t kReaderPartAt = (writer_part_bytes(kDepth) + 4095) / 4096 * 4096;
constexpr std::size_t kRingBytes = kReaderPartAt + 4096;

TimePoint in_ten_seconds() { return monotonic_clock().now() + std::chrono::seconds{10}; }

std::span<std::byte> writer_part(const platform::Mapping& ring) {
  return ring.bytes().subspan(0, writer_part_bytes(kDepth));
}
std::span<std::byte> reader_part(const platform::Mapping& ring) {
  return ring.bytes().subspan(kReaderPartAt, kReaderPartBytes);
}

void show(DescriptorChannel& channel, const platform::SharedMemory& memory) {
  const std::uint64_t size = memory.size();
  const platform::OwnedHandle handle = memory.handle_for(Access::read_only);
  const platform::NativeHandle shown = handle.get();
  if (!channel.send(std::as_bytes(std::span(&size, 1)), std::span(&shown, 1), in_ten_seconds())) {
    throw std::runtime_error("the other process of the measurement is gone");
  }
}

platform::Mapping map_what_is_shown(DescriptorChannel& channel) {
  platform::Message message;
  if (channel.receive(message, in_ten_seconds()) != DescriptorChannel::Received::message) {
    throw std::runtime_error("the other process of the measurement is gone");
  }
  std::uint64_t size = 0;
  std::memcpy(&size, message.bytes.data(), sizeof size);
  auto memory = platform::SharedMemory::adopt(std::move(message.handles.at(0)), size, Access::read_only);
  platform::Mapping pages = memory.map(Access::read_only);
  pages.populate();
  return pages;
}

}  // namespace

DescriptorChannel open_channel(Wire& to_peer) {
  std::string folder = std::filesystem::temp_directory_path() / "bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder for a channel");
  const std::filesystem::path address = std::filesystem::path(folder) / "channel";
  std::optional<DescriptorChannel> channel;
  {
    auto listener = platform::ChannelListener::listen(address);
    to_peer.send(address.native());
    channel = listener.accept(in_ten_seconds());
  }
  std::filesystem::remove_all(folder);
  if (!channel) throw std::runtime_error("the other process of the measurement does not come");
  return std::move(*channel);
}

DescriptorChannel join_channel(Wire& to_parent) {
  return DescriptorChannel::connect(to_parent.receive_text(), in_ten_seconds());
}

TensorLink::TensorLink(DescriptorChannel channel, std::size_t bytes)
    : channel_(std::move(channel)),
      allocator_({.heap_fallback = false, .spare_segments = 0}),
      tensor_(TensorBuffer::allocate({static_cast<std::int64_t>(bytes)}, DataType::uint8, allocator_)) {
  std::memset(tensor_.mutable_data(), 1, bytes);
  const SharedLocation& location = *tensor_.block().owner()->shared_location();
  descriptor_ = descriptor_of(tensor_.layout());
  descriptor_.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
  descriptor_.slot_offset = location.offset;
  descriptor_.nbytes = bytes;

  ring_.memory = platform::SharedMemory::create(kRingBytes);
  ring_.pages = ring_.memory.map(Access::read_write);
  ring_.pages.populate();
  ring_.memory.forbid_new_writers();

  show(channel_, ring_.memory);
  show(channel_, location.segment->memory());
  their_ring_ = map_what_is_shown(channel_);
  their_segment_ = map_what_is_shown(channel_);
  their_segment_size_.bytes = read_segment_header(their_segment_.bytes()).segment_bytes;
  writer_.emplace(writer_part(ring_.pages), reader_part(their_ring_), kDepth);
  reader_.emplace(writer_part(their_ring_), reader_part(ring_.pages), kDepth);
}

void TensorLink::send(std::uint64_t mark) {
  descriptor_.request_id = mark;
  if (!writer_->push(encode(descriptor_))) throw std::runtime_error("the ring is full");
}

void TensorLink::write_and_send(std::uint64_t mark) {
  std::memcpy(tensor_.mutable_data(), &mark, sizeof mark);
  send(mark);
}

const std::byte* TensorLink::receive_tensor(TensorDescriptor& received) {
  Record record;
  while (!reader_->pop(record)) pause_briefly();
  received = decode(record);
  const DescriptorLimits limits{.segments = std::span(&their_segment_size_, 1)};
  if (const DescriptorCheck check = validate(received, limits); !check) {
    throw std::runtime_error(std::string(to_string(check.fault)));
  }
  return their_segment_.data() + received.slot_offset + received.data_offset;
}

std::uint64_t TensorLink::receive() {
  TensorDescriptor received;
  const std::byte* const elements = receive_tensor(received);
  if (received.nbytes > 0) {
    benchmark::DoNotOptimize(std::to_integer<int>(elements[0]) + std::to_integer<int>(elements[received.nbytes - 1]));
  }
  return received.request_id;
}

std::uint64_t TensorLink::receive_written() {
  TensorDescriptor received;
  std::uint64_t written = 0;
  std::memcpy(&written, receive_tensor(received), sizeof written);
  if (written != received.request_id) throw std::runtime_error("the tensor is not what was handed over");
  return written;
}

void answer_tensors(Wire& wire) {
  DescriptorChannel channel = join_channel(wire);
  const bool written = wire.receive_number() != 0;
  TensorLink link(std::move(channel), 4096);
  for (;;) {
    if (written) {
      link.write_and_send(link.receive_written());
    } else {
      link.send(link.receive());
    }
  }
}

}  // namespace remotemedia::bench
