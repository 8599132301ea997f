// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/segment_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using ::testing::HasSubstr;
using testing::thrown;

constexpr std::size_t kSegmentBytes = 3 * 4096;

SegmentHeader some_header() {
  SegmentHeader header{.segment_bytes = kSegmentBytes, .optional_features = 0x80000001U};
  for (std::size_t i = 0; i < header.uuid.size(); ++i) header.uuid[i] = static_cast<std::byte>(i + 1);
  return header;
}

std::vector<std::byte> segment_with(const SegmentHeader& header) {
  std::vector<std::byte> segment(kSegmentBytes, std::byte{0xEE});
  write_segment_header(std::span(segment).first<kSegmentHeaderBytes>(), header);
  return segment;
}

// The checksum once more, bit by bit.
std::uint32_t slow_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

void put(std::vector<std::byte>& segment, std::size_t offset, const auto& value) {
  std::memcpy(segment.data() + offset, &value, sizeof value);
}

// A peer that lies, but knows how to make a checksum.
void sign(std::vector<std::byte>& segment) { put(segment, 4092, slow_crc32c(std::span(segment).first(4092))); }

void expect_refused(const std::vector<std::byte>& segment, const std::string& field) {
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown([&] { read_segment_header(segment); });
    EXPECT_EQ(error.code(), ErrorCode::protocol_error);
    EXPECT_THAT(error.what(), HasSubstr(field));
  }
}

TEST(SegmentHeaderTest, WhatIsWrittenIsRead) {
  const SegmentHeader read = read_segment_header(segment_with(some_header()));
  EXPECT_EQ(read.segment_bytes, kSegmentBytes);
  EXPECT_EQ(read.uuid, some_header().uuid);
  EXPECT_EQ(read.required_features, 0U);
  EXPECT_EQ(read.optional_features, 0x80000001U) << "bits that a reader need not know";
}

TEST(SegmentHeaderTest, TheBytesAreThoseOfTheDocumentedLayout) {
  const std::vector<std::byte> segment = segment_with(some_header());
  const std::vector<unsigned> expected{'R', 'M', 'S', 'G', 1,  0,  0,  0,  0, 16, 0, 0, 4, 3, 2, 1,
                                       0,   48,  0,   0,   0,  0,  0,  0,  1, 2,  3, 4, 5, 6, 7, 8,
                                       9,   10,  11,  12,  13, 14, 15, 16, 0, 0,  0, 0, 1, 0, 0, 128};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(std::to_integer<unsigned>(segment[i]), expected[i]) << i;
  EXPECT_TRUE(
      std::all_of(segment.begin() + 48, segment.begin() + 4092, [](std::byte byte) { return byte == std::byte{0}; }));
  std::uint32_t crc = 0;
  std::memcpy(&crc, segment.data() + 4092, sizeof crc);
  EXPECT_EQ(crc, slow_crc32c(std::span(segment).first(4092)));
  EXPECT_EQ(segment[4096], std::byte{0xEE}) << "nothing behind the header is touched";
}

TEST(SegmentHeaderTest, TheChecksumIsCastagnolis) {
  const std::string digits = "123456789";
  EXPECT_EQ(slow_crc32c(std::as_bytes(std::span(digits))), 0xE3069283U);
}

TEST(SegmentHeaderTest, EveryFlippedBitIsRefused) {
  std::vector<std::byte> segment = segment_with(some_header());
  for (std::size_t bit = 0; bit < kSegmentHeaderBytes * 8; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    segment[bit / 8] ^= mask;
    EXPECT_THROW(read_segment_header(segment), Error) << "bit " << bit;
    segment[bit / 8] ^= mask;
  }
  EXPECT_NO_THROW(read_segment_header(segment));
}

TEST(SegmentHeaderTest, RandomBytesAreRefused) {
  std::mt19937 random(1);  // NOLINT: the same each time
  std::vector<std::byte> segment(kSegmentBytes);
  for (int round = 0; round < 200; ++round) {
    std::ranges::generate(segment, [&] { return static_cast<std::byte>(random()); });
    if (round % 2 == 1) std::memcpy(segment.data(), "RMSG\1\0\0\0\0\20\0\0\4\3\2\1", 16);
    EXPECT_THROW(read_segment_header(segment), Error);
  }
}

TEST(SegmentHeaderTest, EachLieIsNamed) {
  std::vector<std::byte> segment = segment_with(some_header());
  put(segment, 0, 'X');
  sign(segment);
  expect_refused(segment, "magic");

  segment = segment_with(some_header());
  put(segment, 12, std::uint32_t{0x04030201});
  sign(segment);
  expect_refused(segment, "byte order should be 0x01020304 and is 0x04030201");

  segment = segment_with(some_header());
  put(segment, 8, std::uint32_t{8192});
  sign(segment);
  expect_refused(segment, "header size should be 4096 and is 8192");

  segment = segment_with(some_header());
  put(segment, 2000, std::uint8_t{1});
  expect_refused(segment, "checksum");

  for (const std::uint64_t claimed :
       {std::uint64_t{0}, std::uint64_t{kSegmentBytes - 1}, std::uint64_t{kSegmentBytes + 4096}, ~std::uint64_t{0}}) {
    segment = segment_with(some_header());
    put(segment, 16, claimed);
    sign(segment);
    expect_refused(segment, "segment size should be 12288 and is " + std::to_string(claimed));
  }
}

TEST(SegmentHeaderTest, AnotherMajorVersionIsRefusedAndALaterMinorOneRead) {
  std::vector<std::byte> segment = segment_with(some_header());
  put(segment, 6, std::uint16_t{9});
  put(segment, 48, std::uint64_t{42});  // a field that this version does not know
  sign(segment);
  EXPECT_EQ(read_segment_header(segment).segment_bytes, kSegmentBytes);

  put(segment, 4, std::uint16_t{2});
  sign(segment);
  expect_refused(segment, "major version should be 1 and is 2");
}

TEST(SegmentHeaderTest, RequiredFeaturesMustBeKnown) {
  SegmentHeader header = some_header();
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    header.required_features = 1U << bit;
    expect_refused(segment_with(header), "required features");
  }
}

TEST(SegmentHeaderTest, LessThanAHeaderIsRefused) {
  std::vector<std::byte> segment = segment_with(some_header());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSegmentHeaderBytes - 1}) {
    segment.resize(size);
    expect_refused(segment, "size");
  }
}

}  // namespace
}  // namespace remotemedia
