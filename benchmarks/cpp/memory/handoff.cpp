// SPDX-License-Identifier: Apache-2.0
//
// Handing a tensor of any size to another process and hearing back, both awake. The answer is a tensor of 4 KiB, handed
// over in the same way.

#include <string>

#include "sizes.h"
#include "tensor_link.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

const PeerRole role("tensors", answer_tensors);

void time_tensors(benchmark::State& state, std::size_t bytes, bool written) {
  Peer peer("tensors");
  auto channel = open_channel(peer.wire());
  peer.wire().send(written ? 1 : 0);
  TensorLink link(std::move(channel), bytes);
  const PinnedTo pinned(0);
  std::uint64_t mark = 0;
  const auto check = [&](std::uint64_t answered) {
    if (answered != mark) throw std::runtime_error("an answer to something else");
  };
  if (written) {
    time_operations(state, both_processes(peer), [&] {
      link.write_and_send(++mark);
      check(link.receive_written());
    });
  } else {
    time_operations(state, both_processes(peer), [&] {
      link.send(++mark);
      check(link.receive());
    });
  }
}

const bool registered = [] {
  for (const std::size_t bytes : kTensorBytes) {
    const std::string size = std::to_string(bytes);
    add_arm("handoff/tensor/" + size, [=](benchmark::State& state) { time_tensors(state, bytes, false); });
    if (bytes == 4096 || bytes == kTensorBytes.back()) {
      add_arm("handoff/written_tensor/" + size, [=](benchmark::State& state) { time_tensors(state, bytes, true); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
