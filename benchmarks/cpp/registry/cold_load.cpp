// SPDX-License-Identifier: Apache-2.0
//
// 64 threads ask for one cold key at once: how many loads? Beside a map that is locked for looking and storing but
// not while loading, which is what one writes without single flight.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "models.h"

namespace remotemedia::bench {
namespace {

constexpr int kCallers = 64;

/// A load that takes until everybody has come to ask, and a little longer.
class SlowLoader {
 public:
  void arrive() {
    ++arrived_;
    arrived_.notify_all();
  }
  std::unique_ptr<Model> operator()() {
    ++loads_;
    for (int arrived = arrived_.load(); arrived < kCallers; arrived = arrived_.load()) arrived_.wait(arrived);
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    return std::make_unique<Model>();
  }
  int loads() const { return loads_; }

 private:
  std::atomic<int> arrived_{0};
  std::atomic<int> loads_{0};
};

class MapWithoutFlights {
 public:
  std::shared_ptr<Model> get_or_load(const std::string& key, SlowLoader& loader) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = models_.find(key); found != models_.end()) return found->second;
    }
    std::shared_ptr<Model> model = loader();
    const std::lock_guard lock(mutex_);
    return models_.emplace(key, std::move(model)).first->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Model>> models_;
};

template <class Ask>
void run_cold(benchmark::State& state, Ask ask) {
  int most_loads = 0;
  std::size_t most_models = 0;
  int round = 0;
  for (auto _ : state) {
    const std::string key = key_text(static_cast<std::size_t>(round++));
    SlowLoader loader;
    std::vector<decltype(ask(key, loader))> holds(kCallers);
    {
      std::vector<std::jthread> callers;
      for (auto& hold : holds) {
        callers.emplace_back([&] {
          loader.arrive();
          hold = ask(key, loader);
        });
      }
    }
    std::set<const Model*> models;
    for (const auto& hold : holds) models.insert(&*hold);
    most_loads = std::max(most_loads, loader.loads());
    most_models = std::max(most_models, models.size());
  }
  state.counters["callers"] = kCallers;
  state.counters["rounds"] = round;
  state.counters["most_loads"] = most_loads;
  state.counters["most_models"] = static_cast<double>(most_models);
}

void cold_registry(benchmark::State& state) {
  ModelRegistry registry;
  run_cold(state, [&](const std::string& key, SlowLoader& loader) {
    return registry.get_or_load<Model>(key, [&] { return loader(); });
  });
}

void cold_map(benchmark::State& state) {
  MapWithoutFlights map;
  run_cold(state, [&](const std::string& key, SlowLoader& loader) { return map.get_or_load(key, loader); });
}

BENCHMARK(cold_registry)->Name("cold/registry")->Iterations(100)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(cold_map)->Name("cold/map_without_flights")->Iterations(100)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace remotemedia::bench
