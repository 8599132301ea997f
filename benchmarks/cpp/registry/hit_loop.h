// SPDX-License-Identifier: Apache-2.0
//
// run_hits: the measuring loop around one kind of hit. An iteration is a batch of 256 hits.
//
// Counters: ns and p99_ns (per hit and thread; p99 over batches), others and off_cpu (how many
// of the CPUs used here others took, which makes a measurement void, and the part of the time that the threads did
// not run), switches (context switches
// per million hits).

#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "disturbance.h"
#include "models.h"

namespace remotemedia::bench {

inline constexpr std::size_t kBatch = 256;

/// Which models one thread asks for: its first `keys`, in a random order that comes again after 16 batches.
class Order {
 public:
  Order(int thread, std::size_t keys) {
    std::minstd_rand random(static_cast<std::uint32_t>(thread) + 1);
    std::uniform_int_distribution<std::size_t> pick(0, keys - 1);
    const std::size_t first = static_cast<std::size_t>(thread) * kModelsPerThread;
    for (auto& index : indexes_) index = static_cast<std::uint16_t>(first + pick(random));
  }
  const std::uint16_t* batch(std::size_t number) const { return &indexes_[(number * kBatch) % indexes_.size()]; }

 private:
  std::array<std::uint16_t, 16 * kBatch> indexes_{};
};

/// How many threads of the present run have made all their hits.
inline std::atomic<int> threads_done{0};

template <class Hit>
void run_hits(benchmark::State& state, const Order& order, Hit&& hit) {
  using std::chrono::steady_clock;
  const PinnedTo pinned(state.thread_index());
  for (std::size_t i = 0; i < 16 * kBatch; ++i) hit(order.batch(i / kBatch)[i % kBatch]);

  std::vector<float> batches;
  const auto wanted = static_cast<std::size_t>(state.max_iterations);
  batches.reserve(wanted);
  std::optional<Disturbance> disturbance;
  if (state.thread_index() == 0) disturbance.emplace(state.threads());
  std::optional<steady_clock::time_point> began;
  double cpu = 0;
  double ran = 0;
  long switches = 0;
  steady_clock::time_point now;
  if (state.thread_index() == 0) threads_done = 0;
  for (auto _ : state) {
    if (!began) {
      switches = thread_context_switches();
      cpu = thread_cpu_seconds();
      began = now = steady_clock::now();
    }
    const auto* const indexes = order.batch(batches.size());
    for (std::size_t i = 0; i < kBatch; ++i) hit(indexes[i]);
    const auto before = std::exchange(now, steady_clock::now());
    batches.push_back(std::chrono::duration<float, std::nano>(now - before).count() / kBatch);
    if (batches.size() == wanted) {
      ran = thread_cpu_seconds() - cpu;
      switches = thread_context_switches() - switches;
      ++threads_done;
      while (threads_done < state.threads()) hit(indexes[0]);  // so that nobody is measured without company
    }
  }
  const double passed = std::chrono::duration<double>(now - *began).count();
  const double hits = static_cast<double>(batches.size() * kBatch);

  const auto p99 = batches.begin() + static_cast<std::ptrdiff_t>(batches.size() * 99 / 100);
  std::nth_element(batches.begin(), p99, batches.end());
  constexpr auto kAverage = benchmark::Counter::kAvgThreads;
  state.counters["ns"] = benchmark::Counter(1e9 * passed / hits, kAverage);
  state.counters["p99_ns"] = benchmark::Counter(static_cast<double>(*p99), kAverage);
  state.counters["off_cpu"] = benchmark::Counter(std::max(0.0, 1 - ran / passed), kAverage);
  state.counters["switches"] = benchmark::Counter(1e6 * static_cast<double>(switches) / hits, kAverage);
  if (disturbance) state.counters["others"] = disturbance->others();
}

}  // namespace remotemedia::bench
