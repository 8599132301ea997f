// SPDX-License-Identifier: Apache-2.0
//
// time_operations: the measuring loop of a benchmark of processes, for as long as it is told and not for a number of
// iterations, because the other process takes part.
//
// Counters: ns and p99_ns (of one operation: median and 99th percentile over samples), mean_ns, samples, switches
// (context switches of this thread for each operation), faults (minor page faults for each operation), cpu_ns (CPU time
// of both processes for each operation), others (how many of the CPUs used here others took, which makes a measurement
// void).

#pragma once

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "disturbance.h"
#include "peer.h"

namespace remotemedia::bench {

struct Timing {
  /// Operations in a sample. Above 1 where reading the clock would be much of one.
  std::size_t batch = 1;
  std::chrono::milliseconds duration{250};
  std::chrono::milliseconds warm_up{20};

  /// The other process, if there is one.
  const Peer* peer = nullptr;

  /// CPUs that are used: what others do on more of them does not disturb.
  int cpus = 1;
};

/// A measurement in which this process and `peer` take part, each on a CPU of its own.
inline Timing both_processes(const Peer& peer) { return {.peer = &peer, .cpus = 2}; }

/// Between two looks at what another CPU writes.
inline void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How many threads of the present measurement have all their samples.
inline std::atomic<int> threads_measured{0};

inline double thread_minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_minflt);
}

/// `operation` returns nothing, or how long the part took that counts.
template <class Operation>
void time_operations(benchmark::State& state, const Timing& timing, Operation operation) {
  using std::chrono::steady_clock;
  using Nanoseconds = std::chrono::duration<float, std::nano>;
  constexpr std::size_t kMostSamples = std::size_t{1} << 21;
  std::vector<float> samples(kMostSamples);  // touched, so that no page is missing later
  std::size_t count = 0;
  double switches = 0;
  double faults = 0;
  double cpu_seconds = 0;
  double others = 0;
  if (state.thread_index() == 0) threads_measured = 0;
  for (auto _ : state) {
    const auto warm = steady_clock::now() + timing.warm_up;
    do operation();
    while (steady_clock::now() < warm);

    std::optional<Disturbance> disturbance;
    if (state.thread_index() == 0) {
      disturbance.emplace(timing.cpus, timing.peer != nullptr ? std::optional(timing.peer->process()) : std::nullopt);
    }
    switches = -static_cast<double>(thread_context_switches());
    faults = -thread_minor_faults();
    auto last = steady_clock::now();
    const auto end = last + timing.duration;
    do {
      if constexpr (std::is_void_v<std::invoke_result_t<Operation>>) {
        for (std::size_t i = 0; i < timing.batch; ++i) operation();
        const auto now = steady_clock::now();
        samples[count++] = Nanoseconds(now - last).count() / static_cast<float>(timing.batch);
        last = now;
      } else {
        samples[count++] = Nanoseconds(operation()).count();
        last = steady_clock::now();
      }
    } while ((last < end || count < 3) && count < kMostSamples);
    faults += thread_minor_faults();
    switches += static_cast<double>(thread_context_switches());
    if (disturbance) {
      cpu_seconds = disturbance->own();
      others = disturbance->others();
    }
    ++threads_measured;
    while (threads_measured < state.threads()) operation();  // so that nobody is measured without company
  }
  const double operations = static_cast<double>(count * timing.batch);
  const auto quantile = [&](std::size_t percent) {
    const auto at = samples.begin() + static_cast<std::ptrdiff_t>((count - 1) * percent / 100);
    std::nth_element(samples.begin(), at, samples.begin() + static_cast<std::ptrdiff_t>(count));
    return benchmark::Counter(static_cast<double>(*at), benchmark::Counter::kAvgThreads);
  };
  const auto average = [](double value) { return benchmark::Counter(value, benchmark::Counter::kAvgThreads); };
  const auto sum = std::accumulate(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
  state.counters["ns"] = quantile(50);
  state.counters["p99_ns"] = quantile(99);
  state.counters["mean_ns"] = average(sum / static_cast<double>(count));
  state.counters["samples"] = average(static_cast<double>(count));
  state.counters["switches"] = average(switches / operations);
  state.counters["faults"] = average(faults / operations);
  if (state.thread_index() == 0) {
    state.counters["cpu_ns"] = cpu_seconds * 1e9 / operations;
    state.counters["others"] = others;
  }
}

/// Registers an arm of one iteration, measured by time_operations. What it throws is the arm's error.
inline void add_arm(const std::string& name, std::function<void(benchmark::State&)> measure, int threads = 1) {
  const auto guarded = [measure = std::move(measure)](benchmark::State& state) {
    try {
      measure(state);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  };
  auto* const arm = benchmark::RegisterBenchmark(name.c_str(), guarded)->Iterations(1)->UseRealTime();
  if (threads > 1) arm->Threads(threads);
}

}  // namespace remotemedia::bench
