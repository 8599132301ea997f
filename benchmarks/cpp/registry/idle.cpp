// SPDX-License-Identifier: Apache-2.0
//
// What a registry does while nobody asks it anything: wake-ups and CPU time of its own thread, with the default
// configuration.

#include <benchmark/benchmark.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "models.h"

namespace remotemedia::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kWatched = 25s;

/// Times that each thread of this process has given up the CPU, or lost it.
std::map<std::string, double> context_switches() {
  std::map<std::string, double> result;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string word;
    while (status >> word) {
      double count = 0;
      if (word.find("ctxt_switches:") != std::string::npos && status >> count) result[task.path().filename()] += count;
    }
  }
  return result;
}

void watch_idle(benchmark::State& state, const RegistryConfig& config, bool loaded, bool held) {
  for (auto _ : state) {
    const auto others = context_switches();
    ModelRegistry registry(config);
    ModelHandle<Model> hold;
    if (loaded) hold = registry.get_or_load<Model>("model", load_model);
    if (!held) hold.release();
    std::this_thread::sleep_for(1s);

    const auto before = context_switches();
    std::this_thread::sleep_for(kWatched);
    double wakeups = 0;
    for (const auto& [thread, count] : context_switches()) {
      if (!others.contains(thread)) wakeups += count - before.at(thread);
    }
    state.counters["wakeups"] = wakeups;
    state.counters["seconds"] = std::chrono::duration<double>(kWatched).count();
  }
}

const bool registered = [] {
  const auto add = [](const char* name, const RegistryConfig& config, bool loaded, bool held) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State& state) { watch_idle(state, config, loaded, held); })
        ->Iterations(1)
        ->UseRealTime()
        ->Unit(benchmark::kSecond);
  };
  add("idle/no_model", {}, false, false);
  add("idle/model_waiting_for_its_ttl", long_ttl(), true, false);
  add("idle/model_held", {}, true, true);
  add("idle/model_held_no_time_limit", {.ttl = std::nullopt}, true, true);
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
