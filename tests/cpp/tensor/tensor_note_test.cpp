// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_note.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "testing/random_source.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;

TensorLayout of_rank(std::size_t rank, DataType dtype) {
  std::array<std::int64_t, kMaxRank> shape{};
  shape.fill(1);
  if (rank > 0) shape[rank - 1] = 3;
  if (rank > 1) shape[0] = 2;
  return row_major(Dims(std::span<const std::int64_t>(shape).first(rank)), dtype);
}

void put(std::vector<std::byte>& note, std::size_t at, std::int64_t value) {
  std::memcpy(note.data() + at, &value, sizeof value);
}

TEST(TensorNoteTest, EveryRankIsReadAsItWasWritten) {
  for (std::size_t rank = 0; rank <= kMaxRank; ++rank) {
    const TensorPlace place{of_rank(rank, DataType::float32), 8};
    const std::vector<std::byte> note = encode_note(place, 64);
    EXPECT_EQ(note.size(), rank <= 8 ? 256U : 256U + 16 * rank);
    EXPECT_LE(note.size(), kMaxNoteBytes);
    const TensorPlace read = decode_note(note, 64);
    EXPECT_EQ(read.layout, place.layout);
    EXPECT_EQ(read.offset, 8U);
  }
}

TEST(TensorNoteTest, NegativeStridesAndTensorsWithoutElementsSurvive) {
  const TensorPlace reversed{{DataType::int16, {4, 2}, {-2, 0}}, 12};
  EXPECT_EQ(decode_note(encode_note(reversed, 16), 16).layout, reversed.layout);
  const TensorPlace none{row_major({1, 1, 1, 1, 1, 1, 1, 1, 0}, DataType::int16), 16};
  EXPECT_EQ(decode_note(encode_note(none, 16), 16).layout, none.layout);
}

TEST(TensorNoteTest, WhatReachesBeyondTheBlockIsAProtocolErrorEachTime) {
  for (const std::size_t rank : {1U, 2U, 8U, 9U, 64U}) {
    const std::vector<std::byte> note = encode_note({of_rank(rank, DataType::float32), 8}, 64);
    const std::size_t needed = 8 + 4 * (rank > 1 ? 6 : 3);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(code_thrown([&] { decode_note(note, 63); }), ErrorCode::protocol_error) << "it claims more bytes";
      std::vector<std::byte> honest = encode_note({of_rank(rank, DataType::float32), 8}, needed - 1);
      EXPECT_EQ(code_thrown([&] { decode_note(honest, needed - 1); }), ErrorCode::protocol_error) << rank;
      honest = encode_note({of_rank(rank, DataType::float32), 8}, needed);
      EXPECT_NO_THROW(decode_note(honest, needed)) << rank;
    }
  }
}

TEST(TensorNoteTest, NotesOfAnotherLengthAreProtocolErrorsEachTime) {
  for (const std::size_t rank : {0U, 8U, 9U, 64U}) {
    const std::vector<std::byte> note = encode_note({of_rank(rank, DataType::int8), 0}, 64);
    for (std::size_t size = 0; size < note.size(); ++size) {
      ASSERT_EQ(code_thrown([&] { decode_note(std::span(note).first(size), 64); }), ErrorCode::protocol_error) << size;
    }
    std::vector<std::byte> longer = note;
    longer.push_back({});
    EXPECT_EQ(code_thrown([&] { decode_note(longer, 64); }), ErrorCode::protocol_error);
  }
}

TEST(TensorNoteTest, LiesAboutManyAxesAreProtocolErrorsEachTime) {
  constexpr std::size_t kRank = 10;
  const std::vector<std::byte> note = encode_note({of_rank(kRank, DataType::float32), 0}, 64);
  constexpr std::size_t kShape = 256;
  constexpr std::size_t kStrides = 256 + 8 * kRank;
  for (int time = 0; time < 2; ++time) {
    for (const std::int64_t extent : {std::int64_t{-1}, std::int64_t{9}, std::numeric_limits<std::int64_t>::max()}) {
      std::vector<std::byte> lie = note;
      put(lie, kShape, extent);
      EXPECT_EQ(code_thrown([&] { decode_note(lie, 64); }), ErrorCode::protocol_error) << extent;
    }
    for (const std::int64_t stride : {std::int64_t{-1}, std::int64_t{14}, std::numeric_limits<std::int64_t>::max()}) {
      std::vector<std::byte> lie = note;
      put(lie, kStrides, stride);
      EXPECT_EQ(code_thrown([&] { decode_note(lie, 64); }), ErrorCode::protocol_error) << stride;
    }
    for (const std::size_t at : {128U, 136U, 192U, 200U}) {
      std::vector<std::byte> lie = note;
      put(lie, at, 1);
      EXPECT_EQ(code_thrown([&] { decode_note(lie, 64); }), ErrorCode::protocol_error) << "unused axis at " << at;
    }
    std::vector<std::byte> lie = note;
    lie[3] = std::byte{65};
    EXPECT_EQ(code_thrown([&] { decode_note(lie, 64); }), ErrorCode::protocol_error);
  }
}

TEST(TensorNoteTest, OfAnyBytesOnlyTensorsWithinTheBlockAreRead) {
  testing::RandomSource random;
  SCOPED_TRACE(random.trace());
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t rank = random.below(13);
    std::vector<std::byte> note = encode_note({of_rank(rank, DataType::float32), 8 * random.below(4)}, 64);
    for (std::uint64_t changes = random.below(3); changes > 0; --changes) {
      note[random.below(note.size())] ^= static_cast<std::byte>(1U << random.below(8));
    }
    try {
      const TensorPlace place = decode_note(note, 64);
      ASSERT_TRUE(lies_within(checked(place.layout), place.offset, 64));
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::protocol_error);
    }
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace remotemedia
