// SPDX-License-Identifier: Apache-2.0

#include "clients.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "disturbance.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;

constexpr std::chrono::milliseconds kWarmUp{200};
constexpr std::chrono::seconds kDuration{2};

void count_histogram(benchmark::State& state, const std::vector<double>& sorted) {
  auto from = sorted.begin();
  for (double most_us = 1; from != sorted.end(); most_us *= std::sqrt(2)) {
    const auto to = std::upper_bound(from, sorted.end(), most_us * 1000);
    if (to != from) {
      state.counters["histogram_us/" + std::to_string(std::lround(most_us))] = static_cast<double>(to - from);
    }
    from = to;
  }
}

}  // namespace

void time_clients(benchmark::State& state, const Peer& peer, const std::function<std::function<void()>()>& connect) {
  std::vector<std::vector<double>> samples(kClients);
  std::vector<std::exception_ptr> errors(kClients);
  std::barrier connected(kClients + 1);
  std::atomic<bool> counts{false};
  std::atomic<bool> over{false};
  const auto call_again_and_again = [&](std::size_t number) {
    std::function<void()> call;
    try {
      call = connect();
    } catch (...) {
      errors[number] = std::current_exception();
    }
    connected.arrive_and_wait();
    try {
      while (call && !over) {
        const auto began = steady_clock::now();
        call();
        if (counts) samples[number].push_back(Nanoseconds(steady_clock::now() - began).count());
      }
    } catch (...) {
      errors[number] = std::current_exception();
    }
  };

  std::vector<std::thread> threads;
  for (auto _ : state) {
    for (std::size_t number = 0; number < kClients; ++number) threads.emplace_back(call_again_and_again, number);
    connected.arrive_and_wait();
    std::this_thread::sleep_for(kWarmUp);
    const Disturbance disturbance(2, peer.process());
    const auto began = steady_clock::now();
    counts = true;
    std::this_thread::sleep_for(kDuration);
    counts = false;
    const double passed = Nanoseconds(steady_clock::now() - began).count();
    const double cpu_seconds = disturbance.own();
    state.counters["others"] = disturbance.others();
    over = true;
    for (std::thread& thread : threads) thread.join();

    std::vector<double> all;
    for (const auto& some : samples) all.insert(all.end(), some.begin(), some.end());
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    if (all.empty()) throw std::runtime_error("nobody was answered");
    std::sort(all.begin(), all.end());
    const auto calls = static_cast<double>(all.size());
    state.counters["ns"] = all[all.size() / 2];
    state.counters["p99_ns"] = all[all.size() * 99 / 100];
    state.counters["each_ns"] = passed / calls;
    state.counters["cpu_ns"] = cpu_seconds * 1e9 / calls;
    state.counters["calls"] = calls;
    count_histogram(state, all);
  }
}

}  // namespace remotemedia::bench
