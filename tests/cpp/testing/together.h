// SPDX-License-Identifier: Apache-2.0
//
// together: many threads that begin at the same moment.

#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include "testing/latch.h"

namespace remotemedia::testing {

/// Calls `each(0)` to `each(count - 1)`, each on a thread of its own, and returns when all have.
template <class F>
void together(std::size_t count, F&& each) {
  Latch everybody(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&everybody, &each, i] {
      everybody.arrive_and_wait();
      each(i);
    });
  }
}

}  // namespace remotemedia::testing
