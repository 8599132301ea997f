// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/shared_memory_region.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "memory/blocks_of_a_segment.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::checksum_of;
using testing::code_thrown;
using testing::fill_with;

std::span<const std::byte> read(const SharedMemoryRegion& region) { return region.bytes(); }

TEST(SharedMemoryRegionTest, HasTheBytesThatWereAskedForAndTheyAreZeros) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{1'000'001}}) {
    SharedMemoryRegion region = SharedMemoryRegion::create(size);
    EXPECT_EQ(region.size(), size);
    EXPECT_EQ(region.bytes().size(), size);
    EXPECT_FALSE(region.read_only());
    EXPECT_EQ(std::ranges::count(region.bytes(), std::byte{0}), static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(SharedMemoryRegion::open(region.id()).size(), size);
  }
}

TEST(SharedMemoryRegionTest, NoBytesAreNoRegion) {
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([] { SharedMemoryRegion::create(0); }), ErrorCode::invalid_argument);
  }
}

TEST(SharedMemoryRegionTest, MoreThanThereIsIsAnErrorAndNoSignal) {
  for (int times = 0; times < 2; ++times) {
    const ErrorCode code = code_thrown([] { SharedMemoryRegion::create(std::size_t{1} << 50); });
    EXPECT_TRUE(code == ErrorCode::out_of_memory || code == ErrorCode::shared_memory_unavailable);
    EXPECT_NO_THROW(SharedMemoryRegion::create(1));
  }
}

TEST(SharedMemoryRegionTest, OthersSeeTheSameBytesAndCannotWrite) {
  SharedMemoryRegion region = SharedMemoryRegion::create(10'000);
  fill_with(region.bytes(), 1);
  SharedMemoryRegion there = SharedMemoryRegion::open(region.id());
  EXPECT_TRUE(there.read_only());
  EXPECT_EQ(checksum_of(read(there)), checksum_of(region.bytes()));
  EXPECT_EQ(there.id(), region.id());
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { there.bytes(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { SharedMemoryRegion::open(region.id(), {.writable = true}); }),
              ErrorCode::shared_memory_unavailable);
  }
}

TEST(SharedMemoryRegionTest, AWritableOneIsWrittenByBoth) {
  SharedMemoryRegion region = SharedMemoryRegion::create(10'000, {.writable = true});
  SharedMemoryRegion reader = SharedMemoryRegion::open(region.id());
  SharedMemoryRegion writer = SharedMemoryRegion::open(region.id(), {.writable = true});
  EXPECT_TRUE(reader.read_only());
  EXPECT_FALSE(writer.read_only());
  EXPECT_NE(read(reader).data(), read(writer).data());
  fill_with(writer.bytes(), 2);
  EXPECT_EQ(checksum_of(region.bytes()), checksum_of(read(writer)));
  EXPECT_EQ(checksum_of(read(reader)), checksum_of(read(writer)));
  region.bytes()[5] ^= std::byte{1};
  EXPECT_EQ(read(reader)[5], region.bytes()[5]);
}

TEST(SharedMemoryRegionTest, CopiesAreTheSameRegionAndCloseTogether) {
  SharedMemoryRegion region = SharedMemoryRegion::create(100);
  SharedMemoryRegion copy = region;
  EXPECT_EQ(copy.id(), region.id());
  EXPECT_EQ(copy.bytes().data(), region.bytes().data());
  const std::string id = region.id();
  copy.close();
  copy.close();
  EXPECT_EQ(region.size(), 0U);
  EXPECT_TRUE(region.read_only());
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { region.bytes(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { region.block(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { region.id(); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { SharedMemoryRegion::open(id); }), ErrorCode::shared_memory_unavailable);
  }
}

TEST(SharedMemoryRegionTest, AnEmptyOneIsAClosedOne) {
  SharedMemoryRegion region;
  EXPECT_EQ(region.size(), 0U);
  EXPECT_EQ(code_thrown([&] { region.bytes(); }), ErrorCode::invalid_argument);
  region.close();
}

TEST(SharedMemoryRegionTest, WhatOthersHaveOpenedStaysWhenItsCreatorClosesIt) {
  SharedMemoryRegion region = SharedMemoryRegion::create(10'000);
  fill_with(region.bytes(), 3);
  const std::uint64_t sum = checksum_of(region.bytes());
  const std::string id = region.id();
  SharedMemoryRegion there = SharedMemoryRegion::open(id);
  region.close();
  EXPECT_EQ(checksum_of(read(there)), sum);
  EXPECT_EQ(code_thrown([&] { SharedMemoryRegion::open(id); }), ErrorCode::shared_memory_unavailable);
  EXPECT_EQ(there.id(), id);
}

TEST(SharedMemoryRegionTest, AnOpenedOneKeepsTheIdOfOneThatWent) {
  std::string id;
  SharedMemoryRegion there;
  {
    const SharedMemoryRegion region = SharedMemoryRegion::create(100);
    id = region.id();
    there = SharedMemoryRegion::open(id);
  }
  EXPECT_EQ(SharedMemoryRegion::open(id).size(), 100U);
  there.close();
  // The end of the last hold is a message; the next question comes after it.
  EXPECT_EQ(code_thrown([&] { SharedMemoryRegion::open(id); }), ErrorCode::shared_memory_unavailable);
}

TEST(SharedMemoryRegionTest, ABlockKeepsTheBytes) {
  SharedMemoryRegion region = SharedMemoryRegion::create(10'000);
  fill_with(region.bytes(), 4);
  SharedMemoryRegion there = SharedMemoryRegion::open(region.id());
  const MemoryBlock block = region.block();
  const MemoryBlock block_there = there.block();
  there.close();
  region.close();
  region = {};
  EXPECT_EQ(checksum_of({block.data(), block.size()}), checksum_of({block_there.data(), block_there.size()}));
  block.data()[0] ^= std::byte{1};
  EXPECT_EQ(block_there.data()[0], block.data()[0]);
  EXPECT_TRUE(block_there.read_only());
}

TEST(SharedMemoryRegionTest, AllThreadsGetTheSameId) {
  const SharedMemoryRegion region = SharedMemoryRegion::create(100);
  std::vector<std::string> ids(8);
  testing::together(ids.size(), [&](std::size_t i) { ids[i] = region.id(); });
  EXPECT_EQ(std::ranges::count(ids, ids[0]), 8);
}

}  // namespace
}  // namespace remotemedia
