// SPDX-License-Identifier: Apache-2.0
//
// Calls in flight from one client, 100 of them all the time: each of nothing, or of 4 KiB that are copied in by the
// client, from there to the answer by the model, and out by the client.

#include <cstddef>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "in_flight.h"
#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

void time_calls_in_flight(benchmark::State& state, std::size_t bytes) {
  const ServedModel model("copy");
  ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint());
  const Dims shape{static_cast<std::int64_t>(bytes / sizeof(float))};
  const TensorMap inputs{{"x", TensorBuffer::from_bytes(std::vector<std::byte>(bytes), shape, DataType::float32)}};
  std::vector<std::byte> read(bytes);
  std::deque<InferenceFuture> calls;
  while (calls.size() < kInFlight) calls.push_back(client.infer_waiting(inputs));
  Timing timing = both_processes(model.peer());
  timing.batch = kInFlight;
  time_operations(state, timing, [&] {
    const TensorMap outputs = calls.front().get();
    calls.pop_front();
    const TensorBuffer& y = outputs.begin()->second;
    if (y.nbytes() != bytes) throw std::runtime_error("an answer of another size");
    if (bytes > 0) std::memcpy(read.data(), y.data(), bytes);
    benchmark::ClobberMemory();
    calls.push_back(client.infer_waiting(inputs));
  });
  while (!calls.empty()) {
    calls.front().get();
    calls.pop_front();
  }
}

const bool registered = [] {
  for (const std::size_t bytes : kInFlightBytes) {
    add_arm("in_flight/worker/" + std::to_string(bytes),
            [=](benchmark::State& state) { time_calls_in_flight(state, bytes); });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
