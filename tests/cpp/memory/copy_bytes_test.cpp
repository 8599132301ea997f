// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/copy_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace remotemedia {
namespace {

constexpr std::byte kUntouched{0xEE};
constexpr std::size_t kMargin = 128;

std::vector<std::byte> pattern(std::size_t bytes) {
  std::vector<std::byte> source(bytes);
  std::uint32_t state = 1;
  for (std::byte& byte : source) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return source;
}

// Copies `bytes` between those alignments and looks at all that was written, and around it.
void expect_copied(const std::vector<std::byte>& source, std::size_t bytes, std::size_t from, std::size_t to) {
  std::vector<std::byte> target(bytes + 2 * kMargin + 64, kUntouched);
  const std::size_t aligned = (64 - reinterpret_cast<std::uintptr_t>(target.data()) % 64) % 64;
  std::byte* const begin = target.data() + aligned + kMargin / 2 + to;
  copy_bytes(begin, source.data() + from, bytes);
  ASSERT_EQ(std::memcmp(begin, source.data() + from, bytes), 0) << bytes << " bytes from " << from << " to " << to;
  const auto untouched = [](std::byte byte) { return byte == kUntouched; };
  ASSERT_TRUE(std::all_of(target.data(), begin, untouched)) << bytes << " bytes from " << from << " to " << to;
  ASSERT_TRUE(std::all_of(begin + bytes, target.data() + target.size(), untouched))
      << bytes << " bytes from " << from << " to " << to;
}

TEST(CopyBytesTest, NothingMayComeFromNowhere) {
  copy_bytes(nullptr, nullptr, 0);
  copy_bytes_past_cache(nullptr, nullptr, 0);
}

TEST(CopyBytesTest, PiecesOfAnySizeArePutTogetherPastTheCache) {
  constexpr std::size_t kBytes = 300'000;
  const std::vector<std::byte> source = pattern(kBytes);
  for (const std::size_t piece : {1U, 7U, 63U, 64U, 65U, 1000U, 16'383U, 16'384U, 65'536U}) {
    std::vector<std::byte> target(kBytes + 2 * kMargin, kUntouched);
    std::byte* const begin = target.data() + kMargin + 1;
    for (std::size_t at = 0; at < kBytes; at += piece) {
      copy_bytes_past_cache(begin + at, source.data() + at, std::min(piece, kBytes - at));
    }
    ASSERT_EQ(std::memcmp(begin, source.data(), kBytes), 0) << piece;
    const auto untouched = [](std::byte byte) { return byte == kUntouched; };
    ASSERT_TRUE(std::all_of(target.data(), begin, untouched)) << piece;
    ASSERT_TRUE(std::all_of(begin + kBytes, target.data() + target.size(), untouched)) << piece;
  }
}

TEST(CopyBytesTest, SmallOnesAreCopiedAtEveryAlignment) {
  const std::vector<std::byte> source = pattern(400);
  for (std::size_t bytes = 0; bytes <= 300; bytes += 7) {
    for (std::size_t from = 0; from < 64; from += 9) {
      for (std::size_t to = 0; to < 64; to += 5) expect_copied(source, bytes, from, to);
    }
  }
}

TEST(CopyBytesTest, StreamedOnesAreCopiedAtEveryAlignmentAndLengthOfTail) {
  const std::vector<std::byte> source = pattern(kStreamingCopyBytes + 256);
  for (const std::size_t to : {0U, 1U, 15U, 16U, 63U}) {
    for (const std::size_t from : {0U, 1U, 33U}) expect_copied(source, kStreamingCopyBytes + to + from, from, to);
  }
  for (const std::size_t tail : {0U, 1U, 17U, 63U, 64U, 65U}) expect_copied(source, kStreamingCopyBytes + tail, 3, 5);
  expect_copied(source, kStreamingCopyBytes - 1, 0, 0);
}

TEST(CopyBytesTest, WhoIsToldAfterwardsSeesWhatWasStreamed) {
  std::vector<std::byte> target(kStreamingCopyBytes + 64);
  std::atomic<int> told{0};
  std::atomic<int> seen{0};
  bool all_there = true;
  std::thread reader([&] {
    for (int round = 1; round <= 20; ++round) {
      while (told.load(std::memory_order_acquire) < round) std::this_thread::yield();
      const auto expected = static_cast<std::byte>(round);
      all_there = all_there && target.back() == expected && target.front() == expected &&
                  target[target.size() - 65] == expected && target[target.size() / 2] == expected;
      seen.store(round, std::memory_order_release);
    }
  });
  std::vector<std::byte> source(target.size());
  for (int round = 1; round <= 20; ++round) {
    std::ranges::fill(source, static_cast<std::byte>(round));
    copy_bytes(target.data(), source.data(), source.size());
    told.store(round, std::memory_order_release);
    while (seen.load(std::memory_order_acquire) < round) std::this_thread::yield();
  }
  reader.join();
  EXPECT_TRUE(all_there);
}

}  // namespace
}  // namespace remotemedia
