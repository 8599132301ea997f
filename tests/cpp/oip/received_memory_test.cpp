// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/received_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST(ReceivedMemoryTest, OfAnySizeItIsAlignedAndItsHoldersOwn) {
  std::vector<std::shared_ptr<std::byte>> held;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, kMiB - 1, kMiB, 2 * kMiB - 1, 2 * kMiB, 2 * kMiB + 1,
                                  64 * kMiB, 64 * kMiB + 1}) {
    for (int i = 0; i < 2; ++i) {
      const auto memory = received_memory(bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % 64, 0) << bytes;
      std::memset(memory.get(), static_cast<int>(held.size()), bytes);
      held.push_back(memory);
      if (bytes == 0) continue;
      EXPECT_EQ(memory.get()[bytes - 1], static_cast<std::byte>(held.size() - 1));
    }
  }
  for (std::size_t i = 3; i < held.size(); ++i) EXPECT_EQ(*held[i], static_cast<std::byte>(i)) << "nobody wrote there";
}

TEST(ReceivedMemoryTest, WhatIsLargeAndLetGoIsUsedAgain) {
  const void* const first = received_memory(3 * kMiB).get();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(received_memory(3 * kMiB).get(), first);
}

}  // namespace
}  // namespace remotemedia::detail
