// SPDX-License-Identifier: Apache-2.0
//
// 100 clients of one worker, each of which calls with nothing as soon as it has its answer.

#include <memory>

#include "clients.h"
#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

void time_worker(benchmark::State& state) {
  const ServedModel model("touch");
  time_clients(state, model.peer(), [&] {
    auto client = std::make_shared<ModelWorkerClient>(ModelWorkerClient::connect(model.endpoint()));
    const TensorMap inputs{{"x", client->allocate({0}, DataType::float32)}};
    return [client, inputs] { client->infer(inputs); };
  });
}

const bool registered = [] {
  add_arm("clients/worker", time_worker);
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
