// SPDX-License-Identifier: Apache-2.0
//
// The least that asks another process and hears from it over a unix socket: packets of 64 bytes, one after the other or
// after a pause, and 10 MiB through a stream in both directions.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include "bare_sockets.h"
#include "peer.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{2};
constexpr std::size_t kStreamed = 10 * kMiB;

void time_packets(benchmark::State& state) {
  Peer peer("packets", Peer::Cpu::any);
  time_operations(state, both_processes(peer), [&] {
    send_packet(peer.wire());
    receive_packet(peer.wire());
  });
}

void time_packets_after_a_pause(benchmark::State& state) {
  Peer peer("packets", Peer::Cpu::any);
  Timing timing = both_processes(peer);
  timing.duration = std::chrono::seconds{1};
  time_operations(state, timing, [&] {
    std::this_thread::sleep_for(kPause);
    const auto began = steady_clock::now();
    send_packet(peer.wire());
    receive_packet(peer.wire());
    return steady_clock::now() - began;
  });
}

void answer_stream(Wire& wire) {
  Descriptor stream;
  wire.receive_number(&stream);
  std::vector<std::byte> tensor(kStreamed);
  for (;;) {
    read_all(stream.get(), tensor.data(), tensor.size());
    write_all(stream.get(), tensor.data(), tensor.size());
  }
}
const PeerRole stream_role("stream", answer_stream);

void time_stream(benchmark::State& state) {
  Peer peer("stream", Peer::Cpu::any);
  std::array<int, 2> ends{};
  checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  const Descriptor ours(ends[0]);
  {
    const Descriptor theirs(ends[1]);
    peer.wire().send(0, theirs.get());
  }
  std::vector<std::byte> tensor(kStreamed);
  time_operations(state, both_processes(peer), [&] {
    write_all(ours.get(), tensor.data(), tensor.size());
    read_all(ours.get(), tensor.data(), tensor.size());
  });
}

const bool registered = [] {
  add_arm("call/packet", time_packets);
  add_arm("call/stream", time_stream);
  add_arm("asleep/packet", time_packets_after_a_pause);
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
