// SPDX-License-Identifier: Apache-2.0
//
// One call at a time: nothing, and 10 MiB with 0, 1 and 2 copies on the way, both sides awake; and nothing after a
// pause in which both fell asleep.

#include <chrono>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;

/// Longer than a worker or a client looks for more before it sleeps.
constexpr std::chrono::milliseconds kPause{2};

enum class Input { in_the_pool, on_the_heap };

TensorBuffer make_input(ModelWorkerClient& client, Input input, std::size_t bytes) {
  const Dims shape{static_cast<std::int64_t>(bytes / sizeof(float))};
  TensorBuffer x = input == Input::in_the_pool ? client.allocate(shape, DataType::float32)
                                               : TensorBuffer::allocate(shape, DataType::float32);
  std::memset(x.mutable_data(), 0, bytes);
  return x;
}

/// Reads its first element.
void check(const TensorMap& outputs, std::size_t bytes) {
  const TensorBuffer& y = outputs.begin()->second;
  if (y.nbytes() != bytes) throw std::runtime_error("an answer of another size");
  if (bytes > 0 && y.span<const float>().front() != 0) throw std::runtime_error("an answer to something else");
}

void time_calls(benchmark::State& state, std::string_view name, Input input, std::size_t bytes) {
  const ServedModel model(name);
  ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint());
  const TensorMap inputs{{"x", make_input(client, input, bytes)}};
  time_operations(state, both_processes(model.peer()), [&] { check(client.infer(inputs), bytes); });
}

void time_sleepers(benchmark::State& state, const Serving& serving) {
  const ServedModel model("touch", serving);
  ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint());
  const TensorMap inputs{{"x", make_input(client, Input::in_the_pool, 0)}};
  Timing timing = both_processes(model.peer());
  timing.duration = std::chrono::seconds{1};
  time_operations(state, timing, [&] {
    std::this_thread::sleep_for(kPause);
    const auto began = steady_clock::now();
    check(client.infer(inputs), 0);
    return steady_clock::now() - began;
  });
}

const bool registered = [] {
  const auto add = [](const std::string& name, std::string_view model, Input input, std::size_t bytes) {
    add_arm("call/" + name, [=](benchmark::State& state) { time_calls(state, model, input, bytes); });
  };
  add("nothing", "touch", Input::in_the_pool, 0);
  add("no_copy", "touch", Input::in_the_pool, 10 * kMiB);
  add("one_copy", "touch", Input::on_the_heap, 10 * kMiB);
  add("two_copies", "copy", Input::on_the_heap, 10 * kMiB);
  add_arm("asleep/worker", [](benchmark::State& state) { time_sleepers(state, {}); });
  add_arm("asleep/worker_that_never_looks",
          [](benchmark::State& state) { time_sleepers(state, {.spin = std::chrono::microseconds{0}}); });
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
