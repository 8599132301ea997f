// SPDX-License-Identifier: Apache-2.0
//
// An allocator in a forked child: its blocks can be read and let go, and new ones are memory of the child.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/memory/shared_memory_allocator.h"

namespace remotemedia {
namespace {

AllocatorConfig small() {
  return {.max_memory_bytes = std::size_t{16} << 20,
          .first_segment_bytes = std::size_t{64} << 10,
          .segment_bytes = std::size_t{256} << 10,
          .spare_segments = 1,
          .low_water_bytes = 0};
}

/// Runs `check` in a forked child and says whether it returned true there.
bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      _exit(check() ? 0 : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      _exit(2);
    }
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(AllocatorForkTest, BlocksAreReadAndNewOnesAreHeap) {
  SharedMemoryAllocator allocator(small());
  MemoryBlock block = allocator.allocate(1'000, "a");
  std::memset(block.data(), 7, block.size());
  EXPECT_TRUE(holds_in_child([&] {
    const bool readable = block.data()[999] == std::byte{7} && block.kind() == BlockKind::shared_memory;
    const MemoryBlock fresh = allocator.allocate(1'000, "a");
    const MemoryBlock another = allocator.allocate(1'000, "never seen before");
    const bool heap = fresh.kind() == BlockKind::heap && another.kind() == BlockKind::heap;
    return readable && heap && allocator.owns(fresh) && allocator.session_usage("a") == 2'000 &&
           allocator.metrics().fallbacks == std::map<std::string, std::uint64_t>{{"forked", 2}};
  }));
  EXPECT_TRUE(allocator.metrics().fallbacks.empty());
  EXPECT_EQ(allocator.allocate(10, "a").kind(), BlockKind::shared_memory) << "the parent goes on";
}

TEST(AllocatorForkTest, WhatTheChildLetsGoStaysTheParents) {
  SharedMemoryAllocator allocator(small());
  MemoryBlock block = allocator.allocate(1'000, "a");
  std::memset(block.data(), 7, block.size());
  EXPECT_TRUE(holds_in_child([&] {
    block = MemoryBlock();
    const bool counted = allocator.session_usage("a") == 0;
    allocator.cleanup_expired();
    allocator.close_session("a");
    allocator.close();
    return counted && allocator.metrics().bytes_allocated == 0;
  }));
  EXPECT_EQ(block.data()[999], std::byte{7});
  EXPECT_EQ(allocator.session_usage("a"), 1'000U);
}

TEST(AllocatorForkTest, AnAllocatorEndsInTheChildAndInTheParent) {
  auto allocator = std::make_unique<SharedMemoryAllocator>(small());
  MemoryBlock block = allocator->allocate(1'000, "a");
  EXPECT_TRUE(holds_in_child([&] {
    allocator.reset();
    std::memset(block.data(), 1, 1);  // this process's own mapping is there while the block is
    block = MemoryBlock();
    return true;
  }));
  allocator.reset();
  block = MemoryBlock();
}

TEST(AllocatorForkTest, AnAllocatorOfTheChildHasSharedMemory) {
  SharedMemoryAllocator parents(small());
  const MemoryBlock block = parents.allocate(1'000);
  const std::uint64_t generation = fork_generation();
  EXPECT_EQ(block.owner()->shared_location()->fork_generation, generation);
  EXPECT_TRUE(holds_in_child([&] {
    SharedMemoryAllocator allocator(small());
    const MemoryBlock fresh = allocator.allocate(1'000);
    return fresh.kind() == BlockKind::shared_memory && fork_generation() != generation &&
           fresh.owner()->shared_location()->fork_generation == fork_generation() &&
           block.owner()->shared_location()->fork_generation == generation;
  }));
  EXPECT_EQ(fork_generation(), generation);
}

TEST(AllocatorForkTest, AtAnyMomentOfOtherThreadsWork) {
  SharedMemoryAllocator allocator(small());
  std::atomic<bool> over{false};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !over; ++i) {
        const std::string session = std::to_string((i + t) % 4);
        const MemoryBlock block = allocator.allocate(static_cast<std::size_t>(i % 50) * 4'000, session);
        if (i % 20 == 0) allocator.close_session(session);
        if (i % 50 == 0) allocator.cleanup_expired();
      }
    });
  }
  for (int round = 0; round < 40; ++round) {
    EXPECT_TRUE(holds_in_child([&] {
      std::vector<MemoryBlock> blocks;
      for (int i = 0; i < 20; ++i) blocks.push_back(allocator.allocate(10'000, std::to_string(i % 4)));
      blocks.clear();
      allocator.cleanup_expired();
      allocator.close();
      SharedMemoryAllocator own(small());
      return own.allocate(10).kind() == BlockKind::shared_memory;
    })) << "in round "
        << round;
  }
  over = true;
}

}  // namespace
}  // namespace remotemedia
