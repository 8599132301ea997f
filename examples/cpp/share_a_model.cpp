// SPDX-License-Identifier: Apache-2.0
//
// Eight threads ask for one model at the same time. It is loaded once, all use it, and when nobody holds it any
// more its memory comes back.

#include <remotemedia/registry/model_registry.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Stands for a model with large weights. The registry asks memory_usage() how large.
class MeanModel {
 public:
  explicit MeanModel(std::size_t size) : weights_(size, 1.0F / static_cast<float>(size)) {}

  std::size_t memory_usage() const { return weights_.size() * sizeof(float); }

  float apply(const std::vector<float>& input) const {
    return std::inner_product(input.begin(), input.end(), weights_.begin(), 0.0F);
  }

 private:
  std::vector<float> weights_;
};

constexpr std::size_t kSize = 1'000'000;

}  // namespace

int main() {
  remotemedia::ModelRegistry registry{{.ttl = 0ms}};  // a model goes as soon as nobody holds it

  std::atomic<int> loads{0};
  const auto load = [&loads] {
    ++loads;
    return std::make_unique<MeanModel>(kSize);
  };

  // Every worker names its hold, so that the registry can tell who has the model.
  const auto ask = [&](int worker) {
    remotemedia::LoadOptions options;
    options.memory_bytes = kSize * sizeof(float);
    options.holder = "worker " + std::to_string(worker);
    return registry.get_or_load<MeanModel>("mean@cpu", load, options);
  };

  {
    std::vector<remotemedia::ModelHandle<MeanModel>> handles(8);
    {
      std::vector<std::jthread> workers;
      for (int worker = 0; worker < 8; ++worker) {
        workers.emplace_back([&, worker] { handles[static_cast<std::size_t>(worker)] = ask(worker); });
      }
    }
    const remotemedia::ModelInfo info = registry.list_models().at(0);
    std::printf("loads: %d, holds: %zu, bytes: %zu\n", loads.load(), info.reference_count, info.memory_bytes);
    std::printf("mean: %.1f\n", static_cast<double>(handles[0]->apply(std::vector<float>(kSize, 2.0F))));
  }

  registry.clear();  // returns when what went is destroyed
  std::printf("models left: %zu, bytes: %zu\n", registry.metrics().total_models, registry.metrics().total_memory_bytes);
}
