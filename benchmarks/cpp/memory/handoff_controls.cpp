// SPDX-License-Identifier: Apache-2.0
//
// Other ways to give another process something and hear that it came, with plain system calls: two words that both
// sides watch, eventfd, packets, a descriptor for each tensor, a stream that copies.

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bare_sockets.h"
#include "peer.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

constexpr std::size_t kPage = 4096;

// Two words
// ------------------------------------------------------------------------------------------------------------

/// Each on cache lines of its own, written by one side only.
struct Words {
  alignas(256) std::atomic<std::uint64_t> asked;
  alignas(256) std::atomic<std::uint64_t> answered;
};

void answer_words(Wire& wire) {
  Descriptor memory;
  wire.receive_number(&memory);
  const Pages pages(memory.get(), kPage, true);
  auto& words = *reinterpret_cast<Words*>(pages.data());
  wire.send(0);
  for (std::uint64_t next = 1;; ++next) {
    while (words.asked.load(std::memory_order_acquire) != next) pause_briefly();
    words.answered.store(next, std::memory_order_release);
  }
}
const PeerRole words_role("words", answer_words);

void time_words(benchmark::State& state) {
  Peer peer("words");
  const PinnedTo pinned(0);
  const Descriptor memory = make_memory(kPage);
  const Pages pages(memory.get(), kPage, true);
  auto& words = *reinterpret_cast<Words*>(pages.data());
  peer.wire().send(0, memory.get());
  peer.wire().receive_number();
  std::uint64_t next = 0;
  time_operations(state, both_processes(peer), [&] {
    words.asked.store(++next, std::memory_order_release);
    while (words.answered.load(std::memory_order_acquire) != next) pause_briefly();
  });
}

// eventfd
// --------------------------------------------------------------------------------------------------------------

void add_one(const Descriptor& event) { checked(eventfd_write(event.get(), 1), "eventfd_write"); }

void take_all(const Descriptor& event) {
  eventfd_t value = 0;
  checked(eventfd_read(event.get(), &value), "eventfd_read");
}

void answer_events(Wire& wire) {
  Descriptor asked;
  Descriptor answered;
  wire.receive_number(&asked);
  wire.receive_number(&answered);
  for (;;) {
    take_all(asked);
    add_one(answered);
  }
}
const PeerRole events_role("events", answer_events);

void time_events(benchmark::State& state) {
  Peer peer("events");
  const PinnedTo pinned(0);
  const Descriptor asked(static_cast<int>(checked(eventfd(0, EFD_CLOEXEC), "eventfd")));
  const Descriptor answered(static_cast<int>(checked(eventfd(0, EFD_CLOEXEC), "eventfd")));
  peer.wire().send(0, asked.get());
  peer.wire().send(0, answered.get());
  time_operations(state, both_processes(peer), [&] {
    add_one(asked);
    take_all(answered);
  });
}

// Packets
// --------------------------------------------------------------------------------------------------------------

void time_packets(benchmark::State& state) {
  Peer peer("packets");
  const PinnedTo pinned(0);
  time_operations(state, both_processes(peer), [&] {
    send_packet(peer.wire());
    receive_packet(peer.wire());
  });
}

// A descriptor for each tensor
// -----------------------------------------------------------------------------------------

/// Maps what comes, touches every page of it and lets it go.
void map_what_comes(Wire& wire) {
  for (;;) {
    Descriptor memory;
    const std::uint64_t bytes = wire.receive_number(&memory);
    std::uint64_t sum = 0;
    void* const address = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory.get(), 0);
    if (address == MAP_FAILED) checked(-1, "mmap");
    for (std::size_t at = 0; at < bytes; at += kPage) sum += static_cast<const volatile unsigned char*>(address)[at];
    munmap(address, bytes);
    wire.send(sum);
  }
}
const PeerRole descriptors_role("descriptors", map_what_comes);

void time_descriptors(benchmark::State& state, std::size_t bytes) {
  Peer peer("descriptors");
  const PinnedTo pinned(0);
  const Descriptor memory = make_memory(bytes);
  const Pages pages(memory.get(), bytes, true);
  time_operations(state, both_processes(peer), [&] {
    peer.wire().send(bytes, memory.get());
    peer.wire().receive_number();
  });
}

// A stream that copies
// -------------------------------------------------------------------------------------------------

void read_stream(Wire& wire) {
  Descriptor stream;
  std::vector<std::byte> tensor(wire.receive_number(&stream));
  for (;;) {
    read_all(stream.get(), tensor.data(), tensor.size());
    write_all(stream.get(), tensor.data(), 1);
  }
}
const PeerRole stream_role("stream", read_stream);

void time_stream(benchmark::State& state, std::size_t bytes) {
  Peer peer("stream");
  const PinnedTo pinned(0);
  std::array<int, 2> ends{};
  checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  const Descriptor ours(ends[0]);
  {
    const Descriptor theirs(ends[1]);
    peer.wire().send(bytes, theirs.get());
  }
  const std::vector<std::byte> tensor(bytes);
  std::byte answer{};
  time_operations(state, both_processes(peer), [&] {
    write_all(ours.get(), tensor.data(), tensor.size());
    read_all(ours.get(), &answer, 1);
  });
}

const bool registered = [] {
  add_arm("handoff/words", time_words);
  add_arm("handoff/eventfd", time_events);
  add_arm("handoff/packet", time_packets);
  for (const std::size_t bytes : kTensorBytes) {
    if (bytes == 0) continue;
    const std::string size = std::to_string(bytes);
    add_arm("handoff/mapped_each_time/" + size, [=](benchmark::State& state) { time_descriptors(state, bytes); });
    add_arm("handoff/stream/" + size, [=](benchmark::State& state) { time_stream(state, bytes); });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
