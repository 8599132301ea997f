// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/shared_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/machine.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::code_thrown;

constexpr std::size_t kMebi = std::size_t{1} << 20;

/// A pattern that differs in each word, so that a page in the wrong place is seen.
void fill(std::span<std::byte> bytes, std::uint64_t seed) {
  for (std::size_t at = 0; at + sizeof seed <= bytes.size(); at += sizeof seed) {
    const std::uint64_t word = seed * 0x9E3779B97F4A7C15U + at;
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

bool is_filled(std::span<const std::byte> bytes, std::uint64_t seed) {
  for (std::size_t at = 0; at + sizeof seed <= bytes.size(); at += sizeof seed) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if (word != seed * 0x9E3779B97F4A7C15U + at) return false;
  }
  return true;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte one) { return one == std::byte{0}; });
}

TEST(SharedMemoryTest, HasWholePagesOfZeros) {
  const std::size_t page = page_bytes();
  for (const auto& [asked, got] : {std::pair{std::size_t{1}, page}, {page, page}, {page + 1, 2 * page}}) {
    const SharedMemory memory = SharedMemory::create(asked);
    EXPECT_EQ(memory.size(), got);
    EXPECT_EQ(memory.access(), Access::read_write);
    const Mapping mapping = memory.map(Access::read_write);
    EXPECT_EQ(mapping.size(), got);
    EXPECT_TRUE(is_zero(mapping.bytes()));
  }
}

TEST(SharedMemoryTest, NothingAndMoreThanAFileCanHaveAreRefused) {
  for (const std::size_t bytes : {std::size_t{0}, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_EQ(code_thrown([&] { SharedMemory::create(bytes); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { SharedMemory::create(bytes); }), ErrorCode::invalid_argument);
  }
}

TEST(SharedMemoryTest, AMappingOutlivesItsMemory) {
  Mapping mapping;
  {
    const SharedMemory memory = SharedMemory::create(page_bytes());
    mapping = memory.map(Access::read_write);
  }
  fill(mapping.bytes(), 1);
  EXPECT_TRUE(is_filled(mapping.bytes(), 1));
}

TEST(SharedMemoryTest, AllMappingsShowTheSameBytes) {
  const SharedMemory memory = SharedMemory::create(3 * page_bytes());
  const Mapping one = memory.map(Access::read_write);
  const Mapping other = memory.map(Access::read_write);
  const Mapping reader = memory.map(Access::read_only);
  fill(one.bytes(), 2);
  EXPECT_TRUE(is_filled(other.bytes(), 2));
  fill(other.bytes(), 3);
  EXPECT_TRUE(is_filled(reader.bytes(), 3));
}

TEST(SharedMemoryTest, WritersStayWritersWhenNewOnesAreForbidden) {
  SharedMemory memory = SharedMemory::create(page_bytes());
  const Mapping writer = memory.map(Access::read_write);
  memory.forbid_new_writers();
  const Mapping reader = memory.map(Access::read_only);
  fill(writer.bytes(), 4);
  EXPECT_TRUE(is_filled(reader.bytes(), 4));
}

TEST(SharedMemoryTest, NobodyBecomesAWriterOnceThatIsForbidden) {
  SharedMemory memory = SharedMemory::create(page_bytes());
  const Mapping writer = memory.map(Access::read_write);
  for (int times = 0; times < 2; ++times) {
    memory.forbid_new_writers();
    EXPECT_EQ(code_thrown([&] { memory.map(Access::read_write); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { memory.handle_for(Access::read_write); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown(
                  [&] { SharedMemory::adopt(memory.handle_for(Access::read_only), page_bytes(), Access::read_write); }),
              ErrorCode::protocol_error);
  }
}

TEST(SharedMemoryTest, WhatWasSentToBeReadCannotBeWritten) {
  SharedMemory memory = SharedMemory::create(page_bytes());
  const Mapping writer = memory.map(Access::read_write);
  memory.forbid_new_writers();
  const SharedMemory received =
      SharedMemory::adopt(memory.handle_for(Access::read_only), page_bytes(), Access::read_only);
  EXPECT_EQ(received.access(), Access::read_only);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { received.map(Access::read_write); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { received.handle_for(Access::read_write); }), ErrorCode::invalid_argument);
  }
  const Mapping reader = received.map(Access::read_only);
  fill(writer.bytes(), 5);
  EXPECT_TRUE(is_filled(reader.bytes(), 5));
}

TEST(SharedMemoryTest, ASizeOtherThanTheAnnouncedOneIsRefused) {
  const std::size_t page = page_bytes();
  const SharedMemory memory = SharedMemory::create(3 * page);
  for (const std::size_t announced :
       {std::size_t{0}, std::size_t{1}, 2 * page, 3 * page + 1, 4 * page, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_EQ(
        code_thrown([&] { SharedMemory::adopt(memory.handle_for(Access::read_write), announced, Access::read_write); }),
        ErrorCode::protocol_error)
        << announced;
  }
  for (const std::size_t announced : {2 * page + 1, 3 * page}) {
    EXPECT_EQ(SharedMemory::adopt(memory.handle_for(Access::read_write), announced, Access::read_write).size(),
              3 * page);
  }
}

TEST(SharedMemoryTest, SomethingElseThanSharedMemoryIsRefused) {
  EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(OwnedHandle(), page_bytes(), Access::read_only); }),
            ErrorCode::protocol_error);
  for (const Access access : {Access::read_only, Access::read_write}) {
    EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(Doorbell::create().duplicate(), page_bytes(), access); }),
              ErrorCode::protocol_error);
  }
}

TEST(SharedMemoryTest, PopulatingChangesNothing) {
  SharedMemory memory = SharedMemory::create(2 * kMebi + page_bytes());
  Mapping writer = memory.map(Access::read_write);
  fill(writer.bytes().first(page_bytes()), 6);
  for (int times = 0; times < 2; ++times) writer.populate();
  Mapping reader = memory.map(Access::read_only);
  reader.populate();
  EXPECT_TRUE(is_filled(reader.bytes().first(page_bytes()), 6));
  EXPECT_TRUE(is_zero(reader.bytes().subspan(page_bytes())));
}

TEST(SharedMemoryTest, AskingForHugePagesChangesNothing) {
  const SharedMemory memory = SharedMemory::create(4 * kMebi);
  Mapping mapping = memory.map(Access::read_write);
  mapping.populate();
  fill(mapping.bytes(), 7);
  mapping.use_huge_pages();
  EXPECT_TRUE(is_filled(mapping.bytes(), 7));
  fill(mapping.bytes(), 8);
  EXPECT_TRUE(is_filled(memory.map(Access::read_only).bytes(), 8));
}

TEST(SharedMemoryTest, WhatWasMovedFromIsEmpty) {
  SharedMemory memory = SharedMemory::create(page_bytes());
  Mapping mapping = memory.map(Access::read_write);
  const SharedMemory moved_memory = std::move(memory);
  const Mapping moved_mapping = std::move(mapping);
  EXPECT_TRUE(moved_memory);
  EXPECT_TRUE(moved_mapping);
  EXPECT_FALSE(memory);   // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(mapping);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(mapping.size(), 0U);
}

constexpr std::size_t kExchanged = 64 * kMebi;

const testing::PeerRole kExchange("exchange", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message writable = testing::expect_message(parent, "write");
  const SharedMemory memory = SharedMemory::adopt(std::move(writable.handles.at(0)), kExchanged, Access::read_write);
  const Mapping mapping = memory.map(Access::read_write);
  EXPECT_TRUE(is_filled(mapping.bytes().first(kExchanged / 2), 10));
  fill(mapping.bytes().subspan(kExchanged / 2), 11);
  testing::say(parent, "written");

  Message readable = testing::expect_message(parent, "read");
  const SharedMemory received = SharedMemory::adopt(std::move(readable.handles.at(0)), kExchanged, Access::read_only);
  EXPECT_EQ(code_thrown([&] { received.map(Access::read_write); }), ErrorCode::invalid_argument);
  EXPECT_TRUE(is_filled(received.map(Access::read_only).bytes(), 12));
  return 0;
});

TEST(SharedMemoryTest, TwoProcessesExchange64MiB) {
  SharedMemory memory = SharedMemory::create(kExchanged);
  Mapping mapping = memory.map(Access::read_write);
  mapping.populate();
  fill(mapping.bytes().first(kExchanged / 2), 10);
  testing::ConnectedPeer peer("exchange");
  const OwnedHandle writable = memory.handle_for(Access::read_write);
  testing::say(peer.channel, "write", std::array{writable.get()});
  testing::expect_message(peer.channel, "written");
  EXPECT_TRUE(is_filled(mapping.bytes().first(kExchanged / 2), 10));
  EXPECT_TRUE(is_filled(mapping.bytes().subspan(kExchanged / 2), 11));

  fill(mapping.bytes(), 12);
  memory.forbid_new_writers();
  const OwnedHandle readable = memory.handle_for(Access::read_only);
  testing::say(peer.channel, "read", std::array{readable.get()});
  EXPECT_EQ(peer.process.wait(), 0);
}

const testing::PeerRole kGive("give", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  SharedMemory memory = SharedMemory::create(kMebi);
  const Mapping mapping = memory.map(Access::read_write);
  fill(mapping.bytes(), 13);
  memory.forbid_new_writers();
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  testing::say(parent, "given", std::array{handle.get()});
  testing::expect_message(parent, "never said");
  return 0;
});

TEST(SharedMemoryTest, WhatWasReceivedStaysWhenItsMakerIsKilled) {
  testing::ConnectedPeer peer("give");
  Message given = testing::expect_message(peer.channel, "given");
  const SharedMemory memory = SharedMemory::adopt(std::move(given.handles.at(0)), kMebi, Access::read_only);
  const Mapping mapped_before = memory.map(Access::read_only);
  peer.process.kill();
  peer.process.wait();
  EXPECT_TRUE(is_filled(mapped_before.bytes(), 13));
  EXPECT_TRUE(is_filled(memory.map(Access::read_only).bytes(), 13));
}

}  // namespace
}  // namespace remotemedia::platform
