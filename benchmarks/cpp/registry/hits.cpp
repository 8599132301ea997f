// SPDX-License-Identifier: Apache-2.0
//
// Hits with a hold, which is given back at once, beside locked maps that do the same.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "hit_loop.h"
#include "locked_map.h"
#include "models.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::bench {
namespace {

LoadedRegistry& plain() {
  static LoadedRegistry models;
  return models;
}

LoadedRegistry& with_budget() {
  static LoadedRegistry models({.ttl = std::chrono::hours{1}, .max_memory_bytes = 1'000'000'000});
  return models;
}

LoadedRegistry& with_listener() {
  static LoadedRegistry models;
  static const std::function<void()> stop = models.registry.subscribe([](const RegistryEvent&) {});
  return models;
}

template <class Lock, class Key>
LockedMap<Lock, Key>& locked_map() {
  static LockedMap<Lock, Key> map;
  return map;
}

template <LoadedRegistry& (*models)()>
void hit_by_model_key(benchmark::State& state, const Order& order) {
  LoadedRegistry& loaded = models();
  run_hits(state, order, [&](std::size_t i) {
    benchmark::DoNotOptimize(*loaded.registry.get_or_load<Model>(loaded.keys[i], load_model));
  });
}

void hit_by_string(benchmark::State& state, const Order& order) {
  LoadedRegistry& loaded = plain();
  run_hits(state, order, [&](std::size_t i) {
    benchmark::DoNotOptimize(*loaded.registry.get_or_load<Model>(std::string_view(loaded.texts[i]), load_model));
  });
}

void hit_with_label(benchmark::State& state, const Order& order) {
  LoadedRegistry& loaded = plain();
  const LoadOptions options{.holder = "bench"};
  run_hits(state, order, [&](std::size_t i) {
    benchmark::DoNotOptimize(*loaded.registry.get_or_load<Model>(loaded.keys[i], load_model, options));
  });
}

template <class Lock, class Key>
void counted_hit(benchmark::State& state, const Order& order) {
  auto& map = locked_map<Lock, Key>();
  run_hits(state, order, [&](std::size_t i) { benchmark::DoNotOptimize(*map.counted(map.keys[i])); });
}

template <class Lock, class Key>
void shared_ptr_hit(benchmark::State& state, const Order& order) {
  auto& map = locked_map<Lock, Key>();
  run_hits(state, order, [&](std::size_t i) { benchmark::DoNotOptimize(*map.shared(map.keys[i])); });
}

void handle_copy(benchmark::State& state, const Order& order) {
  LoadedRegistry& loaded = plain();
  std::vector<ModelHandle<Model>> handles;
  for (const ModelKey& key : loaded.keys) handles.push_back(*loaded.registry.get<Model>(key));
  run_hits(state, order, [&](std::size_t i) {
    const ModelHandle<Model> copy = handles[i];
    benchmark::DoNotOptimize(*copy);
  });
}

void shared_ptr_copy(benchmark::State& state, const Order& order) {
  std::vector<std::shared_ptr<Model>> handles(kModels);
  for (std::size_t i = 0; i < kModels; ++i) handles[i] = std::make_shared<Model>();
  run_hits(state, order, [&](std::size_t i) {
    const std::shared_ptr<Model> copy = handles[i];
    benchmark::DoNotOptimize(*copy);
  });
}

void kept_handle(benchmark::State& state, const Order&) {
  LoadedRegistry& loaded = plain();
  const auto handle = loaded.registry.get_or_load<Model>(loaded.keys[0], load_model);
  run_hits(state, Order(0, 1), [&](std::size_t) { benchmark::DoNotOptimize(*handle); });
}

/// On a cache line of its own, as a model of a registry.
struct alignas(128) PaddedModel : CountedModel {};

/// What no hold that is counted in its model can do without.
void two_additions(benchmark::State& state, const Order& order) {
  std::vector<PaddedModel> models(kModels);
  run_hits(state, order, [&](std::size_t i) { benchmark::DoNotOptimize(*CountedHold(models[i])); });
}

/// And what no release that is stamped can.
void two_additions_and_coarse_clock(benchmark::State& state, const Order& order) {
  const Clock& clock = monotonic_clock();
  std::vector<PaddedModel> models(kModels);
  run_hits(state, order, [&](std::size_t i) {
    const CountedHold hold(models[i]);
    benchmark::DoNotOptimize(clock.coarse_now());
  });
}

using Measurement = void (*)(benchmark::State&, const Order&);

void add(const std::string& name, Measurement measure, std::size_t keys, int threads) {
  benchmark::RegisterBenchmark(("hit/" + name + "/" + std::to_string(keys)).c_str(),
                               [=](benchmark::State& state) { measure(state, Order(state.thread_index(), keys)); })
      ->Threads(threads)
      ->UseRealTime()
      ->MinTime(0.2);
}

void add_hot(const std::string& name, Measurement measure) {
  benchmark::RegisterBenchmark(("hot/" + name).c_str(), [=](benchmark::State& state) { measure(state, Order(0, 1)); })
      ->Threads(2)
      ->UseRealTime()
      ->MinTime(0.2);
}

const bool registered = [] {
  for (const int threads : {1, 2}) {
    for (const std::size_t keys : {std::size_t{1}, std::size_t{16}, kModelsPerThread}) {
      add("model_key", hit_by_model_key<plain>, keys, threads);
      add("u64_mutex_counted", counted_hit<std::mutex, std::uint64_t>, keys, threads);
      add("u64_shared_mutex_counted", counted_hit<std::shared_mutex, std::uint64_t>, keys, threads);
      add("string", hit_by_string, keys, threads);
      add("string_mutex_counted", counted_hit<std::mutex, std::string>, keys, threads);
      add("string_shared_mutex_counted", counted_hit<std::shared_mutex, std::string>, keys, threads);
    }
    add("u64_mutex_shared_ptr", shared_ptr_hit<std::mutex, std::uint64_t>, 16, threads);
    add("u64_shared_mutex_shared_ptr", shared_ptr_hit<std::shared_mutex, std::uint64_t>, 16, threads);
    add("string_mutex_shared_ptr", shared_ptr_hit<std::mutex, std::string>, 16, threads);
    add("string_shared_mutex_shared_ptr", shared_ptr_hit<std::shared_mutex, std::string>, 16, threads);
    add("handle_copy", handle_copy, 16, threads);
    add("shared_ptr_copy", shared_ptr_copy, 16, threads);
    add("two_additions", two_additions, 16, threads);
    add("two_additions_and_coarse_clock", two_additions_and_coarse_clock, 16, threads);
    add("model_key_with_budget", hit_by_model_key<with_budget>, 16, threads);
    add("model_key_with_listener", hit_by_model_key<with_listener>, 16, threads);
    add("model_key_with_label", hit_with_label, 16, threads);
  }
  add_hot("model_key", hit_by_model_key<plain>);
  add_hot("u64_mutex_counted", counted_hit<std::mutex, std::uint64_t>);
  add_hot("u64_shared_mutex_counted", counted_hit<std::shared_mutex, std::uint64_t>);
  add_hot("handle_copy", handle_copy);
  add_hot("kept_handle", kept_handle);
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
