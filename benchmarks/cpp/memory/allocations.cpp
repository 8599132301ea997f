// SPDX-License-Identifier: Apache-2.0
//
// Allocating a block and giving it back, beside malloc and beside the least that does the same from memory that is
// there: a list of free addresses under a mutex. Nobody touches the bytes.

#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/memory/shared_memory_allocator.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

constexpr std::size_t kBatch = 256;

template <class Allocate>
void time_allocations(benchmark::State& state, Allocate allocate) {
  const PinnedTo pinned(state.thread_index());
  time_operations(state, {.batch = kBatch, .duration = std::chrono::milliseconds{200}, .cpus = state.threads()},
                  allocate);
}

SharedMemoryAllocator& allocator() {
  static SharedMemoryAllocator shared;
  return shared;
}

void allocate_block(benchmark::State& state, std::size_t bytes, std::string_view session) {
  time_allocations(state, [&] {
    const MemoryBlock block = allocator().allocate(bytes, session);
    benchmark::DoNotOptimize(block.data());
  });
}

void allocate_with_malloc(benchmark::State& state, std::size_t bytes) {
  time_allocations(state, [&] {
    void* memory = std::malloc(bytes);
    benchmark::DoNotOptimize(memory);
    std::free(memory);
  });
}

class LockedList {
 public:
  explicit LockedList(std::size_t addresses) : addresses_(addresses, this) {}

  void* take() {
    const std::lock_guard lock(mutex_);
    void* const address = addresses_.back();
    addresses_.pop_back();
    return address;
  }
  void give_back(void* address) {
    const std::lock_guard lock(mutex_);
    addresses_.push_back(address);
  }

 private:
  std::mutex mutex_;
  std::vector<void*> addresses_;
};

void allocate_from_locked_list(benchmark::State& state) {
  static LockedList list(16);
  time_allocations(state, [&] {
    void* memory = list.take();
    benchmark::DoNotOptimize(memory);
    list.give_back(memory);
  });
}

const bool registered = [] {
  for (const int threads : {1, 2}) {
    for (const std::size_t bytes : {std::size_t{256}, std::size_t{4096}, kMiB, 10 * kMiB}) {
      const auto add = [&](const std::string& name, auto measure) {
        add_arm(
            "allocate/" + name + "/" + std::to_string(bytes), [=](benchmark::State& state) { measure(state, bytes); },
            threads);
      };
      add("block", [](auto& state, auto size) { allocate_block(state, size, {}); });
      add("block_of_session", [](auto& state, auto size) { allocate_block(state, size, "camera-1"); });
      add("malloc", allocate_with_malloc);
    }
    add_arm("allocate/locked_list", allocate_from_locked_list, threads);
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
