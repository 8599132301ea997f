// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/fork_generation.h"

#include <atomic>

#include "remotemedia/platform/fork.h"

namespace remotemedia {
namespace {

std::atomic<std::uint64_t> generation{0};

}  // namespace

std::uint64_t fork_generation() noexcept {
  [[maybe_unused]] static const bool counting = [] {
    at_fork([] {}, [] {}, [] { generation.fetch_add(1, std::memory_order_relaxed); });
    return true;
  }();
  return generation.load(std::memory_order_relaxed);
}

}  // namespace remotemedia
