// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/record_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "memory/side_of_two_rings.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/program.h"
#include "testing/rounds.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using platform::Access;
using platform::Mapping;
using platform::SharedMemory;
using testing::code_thrown;
using testing::Program;

constexpr std::size_t kDepth = 64;
constexpr std::uint64_t kEchoes = 100'000;
constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();

Record record_of(std::uint64_t number) {
  Record record;
  std::array<std::uint64_t, kRecordBytes / 8> words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = number * (i + 1);
  std::memcpy(record.bytes.data(), words.data(), kRecordBytes);
  return record;
}

/// In its place, of a record that has all its words.
std::uint64_t first_word_of(std::uint64_t place) { return place << 33 | std::uint64_t{1} << 32 | 0xFFFF'FFFFU; }

bool is_record_of(const Record& record, std::uint64_t number) {
  return std::memcmp(record.bytes.data(), record_of(number).bytes.data(), kRecordBytes) == 0;
}

/// The memory of one ring, each part mapped twice: by its owner, and read-only by the other side.
struct RingMemory {
  explicit RingMemory(std::size_t records_of_ring = kDepth)
      : depth(records_of_ring),
        records(SharedMemory::create(writer_part_bytes(depth))),
        replies(SharedMemory::create(kReaderPartBytes)),
        records_of_writer(records.map(Access::read_write)),
        records_of_reader(records.map(Access::read_only)),
        replies_of_writer(replies.map(Access::read_only)),
        replies_of_reader(replies.map(Access::read_write)) {}

  RecordWriter writer() { return {records_of_writer.bytes(), replies_of_writer.bytes(), depth}; }
  RecordReader reader() { return {records_of_reader.bytes(), replies_of_reader.bytes(), depth}; }
  std::atomic_ref<std::uint64_t> popped() { return word(replies_of_reader, 0); }
  std::atomic_ref<std::uint64_t> first_word(std::uint64_t place) {
    return word(records_of_writer, (place & (depth - 1)) * kRecordSlotBytes);
  }

  std::size_t depth;
  SharedMemory records, replies;
  Mapping records_of_writer, records_of_reader, replies_of_writer, replies_of_reader;

 private:
  static std::atomic_ref<std::uint64_t> word(Mapping& part, std::size_t at) {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(part.data() + at));
  }
};

TEST(RecordRingTest, RecordsComeInOrderAndAFullRingTakesNone) {
  RingMemory memory;
  RecordWriter writer = memory.writer();
  RecordReader reader = memory.reader();
  Record record;
  EXPECT_FALSE(reader.ready());
  EXPECT_FALSE(reader.pop(record));
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  for (int round = 0; round < 3; ++round) {
    while (writer.push(record_of(pushed))) ++pushed;
    EXPECT_FALSE(writer.push(record_of(pushed))) << "asked twice";
    EXPECT_EQ(pushed - popped, kDepth);
    while (reader.ready()) {
      ASSERT_TRUE(reader.pop(record));
      EXPECT_TRUE(is_record_of(record, popped++));
    }
    EXPECT_FALSE(reader.pop(record));
    EXPECT_EQ(popped, pushed);
  }
}

TEST(RecordRingTest, EachWordTravelsAlone) {
  RingMemory memory(2);
  RecordWriter writer = memory.writer();
  RecordReader reader = memory.reader();
  for (std::size_t at = 0; at <= kRecordBytes; at += sizeof(std::uint64_t)) {
    Record sent;
    if (at < kRecordBytes) sent.bytes[at + at % 7] = std::byte{0x80};
    Record received = record_of(kLast);
    ASSERT_TRUE(writer.push(sent));
    ASSERT_TRUE(reader.pop(received));
    EXPECT_EQ(received.bytes, sent.bytes) << at;
  }
}

TEST(RecordRingTest, PlacesAndCountsWrapAround) {
  for (const std::uint64_t wraps_at : {std::uint64_t{1} << 31, kLast}) {
    for (std::uint64_t before = 0; before <= 2 * kDepth; before += 13) {
      RingMemory memory;
      memory.popped().store(wraps_at - before);
      RecordWriter writer = memory.writer();
      RecordReader reader = memory.reader();
      std::mt19937_64 random(before);  // NOLINT: the same each time
      std::uint64_t pushed = 0;
      std::uint64_t popped = 0;
      Record record;
      while (popped < 5 * kDepth) {
        for (std::uint64_t n = random() % (2 * kDepth); n > 0; --n) {
          if (writer.push(record_of(pushed))) ++pushed;
        }
        ASSERT_LE(pushed - popped, kDepth);
        for (std::uint64_t n = random() % (2 * kDepth); n > 0; --n) {
          const bool there = reader.pop(record);
          ASSERT_EQ(there, popped < pushed);
          ASSERT_TRUE(!there || is_record_of(record, popped++));
        }
      }
    }
  }
}

TEST(RecordRingTest, ARecordThatDoesNotBelongThereIsAnErrorEachTime) {
  constexpr std::uint64_t kPlace = 3 * kDepth + 5;
  for (const std::uint64_t other : {kPlace + 1, kPlace + kDepth, kPlace - 1, kPlace - 2 * kDepth, kLast}) {
    RingMemory memory;
    memory.popped().store(kPlace);
    RecordReader reader = memory.reader();
    memory.first_word(kPlace).store(first_word_of(other));
    Record record;
    for (int time = 0; time < 2; ++time) {
      EXPECT_TRUE(reader.ready());
      EXPECT_EQ(code_thrown([&] { reader.pop(record); }), ErrorCode::protocol_error) << other;
    }
    memory.first_word(kPlace).store(first_word_of(kPlace - kDepth));
    EXPECT_FALSE(reader.ready()) << "the last one there";
    EXPECT_FALSE(reader.pop(record));
    memory.first_word(kPlace).store(first_word_of(kPlace));
    EXPECT_TRUE(reader.ready());
    EXPECT_TRUE(reader.pop(record));
  }
}

TEST(RecordRingTest, AReaderWhoClaimsWhatWasNeverWrittenIsAnErrorEachTime) {
  for (const std::uint64_t claim : {std::uint64_t{kDepth + 1}, kLast - kDepth, std::uint64_t{1} << 63}) {
    RingMemory memory;
    RecordWriter writer = memory.writer();
    for (std::uint64_t number = 0; number < kDepth; ++number) EXPECT_TRUE(writer.push(record_of(number)));
    memory.popped().store(claim);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(code_thrown([&] { writer.push(record_of(0)); }), ErrorCode::protocol_error);
    }
    memory.popped().store(kDepth);
    EXPECT_TRUE(writer.push(record_of(kDepth))) << "all that there is is no lie";
  }
}

TEST(RecordRingTest, AReaderWhoClaimsToHaveReadLessThanBeforeIsAnErrorEachTime) {
  for (const std::size_t depth : {std::size_t{1}, std::size_t{2}, kDepth}) {
    RingMemory memory(depth);
    RecordWriter writer = memory.writer();
    for (std::uint64_t number = 0; number < depth; ++number) EXPECT_TRUE(writer.push(record_of(number)));
    memory.popped().store(kLast);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(code_thrown([&] { writer.push(record_of(0)); }), ErrorCode::protocol_error);
    }
    memory.popped().store(1);
    EXPECT_TRUE(writer.push(record_of(depth)));
    memory.popped().store(0);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(code_thrown([&] { writer.push(record_of(0)); }), ErrorCode::protocol_error);
    }
  }
}

TEST(RecordRingTest, PartsThatDoNotFitAreRefused) {
  alignas(64) std::array<std::byte, writer_part_bytes(kDepth) + 64> records{};
  alignas(64) std::array<std::byte, kReaderPartBytes + 64> replies{};
  const auto code_of = [](std::span<std::byte> records_part, std::span<std::byte> replies_part, std::size_t depth) {
    const ErrorCode code = code_thrown([&] { RecordWriter(records_part, replies_part, depth); });
    EXPECT_EQ(code_thrown([&] { RecordReader(records_part, replies_part, depth); }), code);
    return code;
  };
  for (const std::size_t depth :
       {std::size_t{0}, std::size_t{3}, std::size_t{65}, std::size_t{1} << 33, ~std::size_t{0}}) {
    EXPECT_EQ(code_of(records, replies, depth), ErrorCode::invalid_argument) << depth;
  }
  const auto records_span = std::span(records);
  const auto replies_span = std::span(replies);
  EXPECT_EQ(code_of(records_span.first(writer_part_bytes(kDepth) - 1), replies, kDepth), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(records_span.subspan(8), replies, kDepth), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(records, replies_span.first(kReaderPartBytes - 1), kDepth), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(records, replies_span.subspan(32), kDepth), ErrorCode::invalid_argument);
  EXPECT_NO_THROW(RecordWriter(records, replies, kDepth));
  EXPECT_NO_THROW(RecordWriter(records, replies, 1));
}

TEST(RecordRingTest, ThreadsOverTwoMappingsLoseAndMixNothing) {
  RingMemory memory;
  const std::uint64_t count = testing::slow_rounds(1'000'000);
  memory.popped().store(kLast - count / 2);
  RecordWriter writer = memory.writer();
  RecordReader reader = memory.reader();
  std::thread writes([&] {
    for (std::uint64_t number = 0; number < count; ++number) {
      while (!writer.push(record_of(number))) std::this_thread::yield();
    }
  });
  std::uint64_t wrong = 0;
  Record record;
  for (std::uint64_t number = 0; number < count; ++number) {
    while (!reader.pop(record)) std::this_thread::yield();
    if (!is_record_of(record, number)) ++wrong;
  }
  writes.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_FALSE(reader.ready());
}

// A writer gone mad, on all that it may write to.
TEST(RecordRingTest, AReaderSurvivesAScribblingWriter) {
  RingMemory memory;
  RecordReader reader = memory.reader();
  std::atomic<bool> over{false};
  std::thread scribbles([&] {
    std::mt19937_64 random(1);  // NOLINT: the same each time
    auto* const words = reinterpret_cast<std::uint64_t*>(memory.records_of_writer.data());
    const std::size_t count = memory.records_of_writer.size() / 8;
    while (!over) {
      std::atomic_ref<std::uint64_t>(words[random() % count]).store(random());
      const std::uint64_t place = memory.popped().load() + random() % 4;
      memory.first_word(place).store(random() % 4 == 0 ? random() : first_word_of(place) & ~(random() >> 32));
    }
  });
  std::uint64_t read = 0;
  std::uint64_t refused = 0;
  Record record;
  while (read < 20'000 || refused < 20) {
    try {
      if (reader.pop(record)) ++read;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_error);
      ++refused;
    }
  }
  over = true;
  scribbles.join();
}

TEST(RecordRingTest, AWriterSurvivesAScribblingReader) {
  RingMemory memory;
  RecordWriter writer = memory.writer();
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> written{0};
  std::thread scribbles([&] {
    std::mt19937_64 random(1);  // NOLINT: the same each time
    while (!over) memory.popped().store(random() % 4 == 0 ? random() : written.load() - random() % kDepth);
  });
  std::uint64_t refused = 0;
  while (written < 20'000 || refused < 20) {
    try {
      if (writer.push(record_of(written))) ++written;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_error);
      ++refused;
    }
  }
  over = true;
  scribbles.join();
}

TEST(RecordRingTest, TwoProcessesExchangeRecords) {
  SharedMemoryAllocator allocator;
  Program peer{{REMOTEMEDIA_EXPORT_PEER}};
  const MemoryBlock mine = testing::memory_of_one_side(allocator);
  const MemoryBlock theirs = import_block(peer.ask("side")).block;
  EXPECT_TRUE(theirs.read_only());
  const Export exported = share(mine);
  peer.tell("echo " + exported.id() + " " + std::to_string(kEchoes));
  testing::SideOfTwoRings side(mine, theirs);
  std::uint64_t sent = 0;
  std::uint64_t wrong = 0;
  Record record;
  for (std::uint64_t received = 0; received < kEchoes;) {
    while (sent < kEchoes && side.out.push(record_of(sent))) ++sent;
    if (!side.in.pop(record)) {
      ASSERT_FALSE(peer.has_ended()) << "the other process has ended early";
      std::this_thread::yield();
      continue;
    }
    if (!is_record_of(record, received++)) ++wrong;
  }
  EXPECT_EQ(peer.hear(), "echoed");
  EXPECT_EQ(peer.end(), 0);
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace remotemedia
