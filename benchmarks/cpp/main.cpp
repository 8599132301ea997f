// SPDX-License-Identifier: Apache-2.0
//
// main() of a benchmark program that is also the other process of its measurements.

#include <benchmark/benchmark.h>

#include "peer.h"

int main(int argc, char** argv) {
  if (remotemedia::bench::was_peer(argc, argv)) return 0;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
