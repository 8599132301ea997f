// SPDX-License-Identifier: Apache-2.0
//
// time_clients: 100 clients, each with a connection and a thread of its own, that call without a pause.
//
// Counters: ns, p99_ns (of one call), each_ns (the time of all divided by their number), cpu_ns (of both processes for
// each call), calls, others, and the histogram: histogram_us/N counts the calls that took up to N µs and more than the
// one before.

#pragma once

#include <benchmark/benchmark.h>

#include <functional>

#include "peer.h"

namespace remotemedia::bench {

inline constexpr int kClients = 100;

/// connect: gives what makes one call. It is called once for each client, on the client's thread, and so is its result.
void time_clients(benchmark::State& state, const Peer& peer, const std::function<std::function<void()>()>& connect);

}  // namespace remotemedia::bench
