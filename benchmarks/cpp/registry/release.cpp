// SPDX-License-Identifier: Apache-2.0
//
// From the release of the last hold (ttl 0) until the model is destroyed and its bytes count no more.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "disturbance.h"
#include "remotemedia/registry/model_registry.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kBytes = 1 << 20;

struct Destruction {
  std::binary_semaphore happened{0};
  steady_clock::time_point at;
};

class LargeModel {
 public:
  explicit LargeModel(Destruction& destruction) : destruction_(destruction), bytes_(kBytes) {}
  LargeModel(const LargeModel&) = delete;
  LargeModel& operator=(const LargeModel&) = delete;
  ~LargeModel() {
    std::vector<char>().swap(bytes_);
    destruction_.at = steady_clock::now();
    destruction_.happened.release();
  }
  std::size_t memory_usage() const { return bytes_.size(); }

 private:
  Destruction& destruction_;
  std::vector<char> bytes_;
};

double microseconds(steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

void add_distribution(benchmark::State& state, const std::string& name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
  };
  state.counters[name + "_p50_us"] = at(0.5);
  state.counters[name + "_p99_us"] = at(0.99);
  state.counters[name + "_max_us"] = at(1);
}

void last_release(benchmark::State& state) {
  ModelRegistry registry({.ttl = Duration{0}});
  Destruction destruction;
  std::vector<double> caller, destroyed, uncounted;
  const Disturbance disturbance(2);
  for (auto _ : state) {
    auto handle = registry.get_or_load<LargeModel>("large", [&] { return std::make_unique<LargeModel>(destruction); });
    if (registry.metrics().total_memory_bytes != kBytes) return state.SkipWithError("the model does not count");
    const auto began = steady_clock::now();
    handle.release();
    const auto released = steady_clock::now();
    destruction.happened.acquire();
    while (registry.metrics().total_memory_bytes != 0) {
    }
    const auto ended = steady_clock::now();
    state.SetIterationTime(std::chrono::duration<double>(ended - began).count());
    caller.push_back(microseconds(released - began));
    destroyed.push_back(microseconds(destruction.at - began));
    uncounted.push_back(microseconds(ended - began));
  }
  state.counters["rounds"] = static_cast<double>(uncounted.size());
  state.counters["others"] = disturbance.others();
  add_distribution(state, "caller", caller);
  add_distribution(state, "destroyed", destroyed);
  add_distribution(state, "uncounted", uncounted);
}

BENCHMARK(last_release)->Name("release/registry")->Iterations(500)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace remotemedia::bench
