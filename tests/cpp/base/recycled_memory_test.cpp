// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/recycled_memory.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace remotemedia {
namespace {

#ifdef REMOTEMEDIA_RECYCLES_NOTHING
constexpr bool kRecycles = false;
#else
constexpr bool kRecycles = true;
#endif

void* taken(std::size_t bytes) {
  void* const memory = take_recycled(bytes);
  EXPECT_NE(memory, nullptr);
  std::memset(memory, 0xA5, bytes);
  return memory;
}

TEST(RecycledMemoryTest, WhatAThreadGaveBackLastItTakesNext) {
  if (!kRecycles) GTEST_SKIP() << "nothing is recycled here";
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{128}, std::size_t{129}, std::size_t{512}, std::size_t{513}, kRecycledBytes}) {
    void* const first = taken(bytes);
    void* const second = taken(bytes);
    give_back_recycled(first, bytes);
    give_back_recycled(second, bytes);
    EXPECT_EQ(taken(bytes), second) << bytes;
    EXPECT_EQ(taken(bytes), first) << bytes;
    give_back_recycled(first, bytes);
    give_back_recycled(second, bytes);
  }
}

TEST(RecycledMemoryTest, AnySizeAndNumberCanBeTakenAndGivenBack) {
  for (int twice = 0; twice < 2; ++twice) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{100}, std::size_t{400}, kRecycledBytes,
                                    kRecycledBytes + 1, std::size_t{1} << 20}) {
      std::vector<void*> pieces;
      for (int i = 0; i < 600; ++i) pieces.push_back(bytes < 8192 || i < 4 ? taken(bytes) : nullptr);
      for (void* const piece : pieces) {
        if (piece != nullptr) give_back_recycled(piece, bytes);
      }
    }
  }
}

TEST(RecycledMemoryTest, AnotherThreadMayGiveBackAndEnd) {
  for (int twice = 0; twice < 2; ++twice) {
    std::vector<void*> pieces;
    for (int i = 0; i < 100; ++i) pieces.push_back(taken(300));
    std::thread([&] {
      for (void* const piece : pieces) give_back_recycled(piece, 300);
    }).join();
  }
}

#ifndef REMOTEMEDIA_SANITIZED  // whose allocators end the program
TEST(RecycledMemoryTest, OfNoneThereIsNone) {
  EXPECT_EQ(take_recycled(~std::size_t{0} / 2), nullptr);
  EXPECT_THROW(RecyclingAllocator<std::byte>().allocate(~std::size_t{0} / 2), std::bad_alloc);
}
#endif

TEST(RecycledMemoryTest, ServesSharedObjectsAndMaps) {
  struct Large {
    std::byte bytes[5000]{};
  };
  RecyclingMap<std::string, std::shared_ptr<Large>> map;
  RecyclingHashMap<int, std::string> numbers;
  for (int twice = 0; twice < 2; ++twice) {
    for (int i = 0; i < 1000; ++i) {
      map.try_emplace(std::to_string(i), std::allocate_shared<Large>(RecyclingAllocator<Large>()));
      numbers.try_emplace(i, std::to_string(i));
    }
    EXPECT_EQ(map.size(), 1000U);
    EXPECT_EQ(numbers.at(999), "999");
    map.clear();
    numbers.clear();
  }
}

}  // namespace
}  // namespace remotemedia
