// SPDX-License-Identifier: Apache-2.0
//
// Throughput of a model whose time is mostly the same for each batch: one client, 100 calls of one row in flight, by
// the batch size that the worker allows.

#include <cstdint>
#include <deque>
#include <string>

#include "in_flight.h"
#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

void time_batches(benchmark::State& state, std::int64_t max_batch_size) {
  const ServedModel model("batched", {.max_batch_size = max_batch_size});
  ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint());
  const TensorMap inputs{{"x", client.allocate({1, 16}, DataType::float32)}};
  std::deque<InferenceFuture> calls;
  while (calls.size() < kInFlight) calls.push_back(client.infer_waiting(inputs));
  Timing timing = both_processes(model.peer());
  timing.batch = kInFlight;
  timing.duration = std::chrono::milliseconds{500};
  time_operations(state, timing, [&] {
    calls.front().get();
    calls.pop_front();
    calls.push_back(client.infer_waiting(inputs));
  });
  while (!calls.empty()) {
    calls.front().get();
    calls.pop_front();
  }
}

const bool registered = [] {
  for (const std::int64_t size : {1, 2, 4, 8, 16, 32}) {
    add_arm("batch/" + std::to_string(size), [=](benchmark::State& state) { time_batches(state, size); });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
