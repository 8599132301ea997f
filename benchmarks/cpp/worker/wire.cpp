// SPDX-License-Identifier: Apache-2.0
//
// One call at a time by the wire: over gRPC, and as a client of the same machine makes it that was told of a port,
// beside one that was told of the shared memory at once. The model's answer is its input.

#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kept_memory.h"
#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

std::string wire_endpoint() { return "grpc+unix:/tmp/remotemedia-bench-" + std::to_string(getpid()); }

void time_calls(benchmark::State& state, const std::string& endpoint, std::optional<Transport> transport,
                Transport expected, std::size_t bytes) {
  keep_memory();
  const ServedModel model("echo", {.endpoint = endpoint});
  ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint(), {.transport = transport});
  if (client.transport() != expected) throw std::runtime_error("the client took another transport");
  TensorBuffer x = client.allocate({static_cast<std::int64_t>(bytes / sizeof(float))}, DataType::float32);
  if (bytes > 0) std::memset(x.mutable_data(), 0, bytes);
  const TensorMap inputs{{"x", std::move(x)}};
  time_operations(state, both_processes(model.peer()), [&] {
    const TensorMap outputs = client.infer(inputs);
    if (outputs.at("y").nbytes() != bytes) throw std::runtime_error("an answer of another size");
  });
}

const bool registered = [] {
  for (const std::size_t bytes : {std::size_t{0}, 4 * kKiB, kMiB, 10 * kMiB}) {
    const std::string size = std::to_string(bytes);
    add_arm("wire/grpc/" + size, [=](benchmark::State& state) {
      time_calls(state, wire_endpoint(), Transport::grpc, Transport::grpc, bytes);
    });
    add_arm("wire/found/" + size, [=](benchmark::State& state) {
      time_calls(state, "grpc://127.0.0.1:0", std::nullopt, Transport::shared_memory, bytes);
    });
    add_arm("wire/unix/" + size, [=](benchmark::State& state) {
      time_calls(state, "unix:", std::nullopt, Transport::shared_memory, bytes);
    });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
