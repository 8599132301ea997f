// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "remotemedia/memory/exports.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using Bytes = std::vector<std::byte>;

template <class M>
Bytes message(const M& fixed, std::size_t note_bytes = 0) {
  Bytes all(sizeof(fixed) + note_bytes, std::byte{0x5A});
  std::memcpy(all.data(), &fixed, sizeof(fixed));
  return all;
}

OpenedAnswer good_answer() {
  return with_header(OpenedAnswer{.header = {},
                                  .hold = 7,
                                  .segment = {std::byte{1}},
                                  .segment_bytes = 1 << 20,
                                  .offset = 4096 + 512,
                                  .bytes = 1000,
                                  .note_bytes = 3,
                                  .writable = 0},
                     9);
}

/// What is said about `bytes`; nothing if they are accepted.
template <class Read>
std::optional<std::string> refusal(Read&& read, const Bytes& bytes) {
  try {
    read(bytes);
    return std::nullopt;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::protocol_error);
    return error.what();
  }
}

std::optional<std::string> refusal_of(const OpenedAnswer& answer, std::size_t note_bytes = 3) {
  return refusal(read_opened_answer, message(answer, note_bytes));
}

TEST(ExportMessagesTest, TheHeaderStandsWhereEveryVersionLooksForIt) {
  const auto bytes = message(with_header(ReleaseNotice{.header = {}, .hold = 0x1122334455667788}, 0));
  EXPECT_EQ(std::memcmp(bytes.data(), "RMXP\x01\x00\x05\x00", 8), 0);
  EXPECT_EQ(bytes.size(), 24U);
  EXPECT_EQ(bytes[16], std::byte{0x88});
}

TEST(ExportMessagesTest, AGoodAnswerIsReadWithItsNote) {
  const Opened opened = read_opened_answer(message(good_answer(), 3));
  EXPECT_EQ(opened.answer.offset, 4608U);
  EXPECT_EQ(opened.note, Bytes(3, std::byte{0x5A}));
}

TEST(ExportMessagesTest, ABlockEndsAtTheSegmentsEndAtTheLatest) {
  OpenedAnswer answer = good_answer();
  answer.bytes = answer.segment_bytes - answer.offset;
  EXPECT_EQ(refusal_of(answer), std::nullopt);
  ++answer.bytes;
  EXPECT_THAT(refusal_of(answer).value_or(""), ::testing::HasSubstr("bytes must be at most 1043968"));
  answer.bytes = ~std::uint64_t{0};
  EXPECT_TRUE(refusal_of(answer));
  answer.offset = answer.segment_bytes;
  answer.bytes = 0;
  EXPECT_EQ(refusal_of(answer), std::nullopt);
  answer.bytes = 1;
  EXPECT_TRUE(refusal_of(answer));
  answer.offset = answer.segment_bytes + 256;
  answer.bytes = 0;
  EXPECT_TRUE(refusal_of(answer));
}

TEST(ExportMessagesTest, ABlockBeginsBehindTheHeaderOnItsAlignment) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{256}, std::uint64_t{4095}, std::uint64_t{4097},
                                     std::uint64_t{4608 + 128}, ~std::uint64_t{255}, ~std::uint64_t{0}}) {
    OpenedAnswer answer = good_answer();
    answer.offset = offset;
    answer.bytes = 1;
    EXPECT_TRUE(refusal_of(answer)) << offset;
  }
}

TEST(ExportMessagesTest, EveryOtherLieIsNamed) {
  const auto expect = [](const char* named, const std::function<void(OpenedAnswer&)>& lie, std::size_t note = 3) {
    OpenedAnswer answer = good_answer();
    lie(answer);
    EXPECT_THAT(refusal_of(answer, note).value_or(""), ::testing::HasSubstr(named));
  };
  expect("hold", [](auto& answer) { answer.hold = 0; });
  expect("writable", [](auto& answer) { answer.writable = 2; });
  expect("reserved", [](auto& answer) { answer.reserved[2] = 1; });
  expect("note_bytes", [](auto& answer) { answer.note_bytes = 4; });
  expect("note_bytes", [](auto& answer) { answer.note_bytes = 2; });
  expect("note_bytes", [](auto& answer) { answer.note_bytes = ~0U; });
  expect(
      "note_bytes", [](auto& answer) { answer.note_bytes = kMaxNoteBytes + 1; }, kMaxNoteBytes + 1);
  expect("segment_bytes", [](auto& answer) { answer.segment_bytes = 4095; });
  expect("segment_bytes", [](auto& answer) { answer.segment_bytes = std::uint64_t{1} << 63; });
  expect("magic", [](auto& answer) { answer.header.magic = 1; });
  expect("version", [](auto& answer) { answer.header.version = 2; });
  expect("kind", [](auto& answer) { answer.header.kind = 4; });
}

TEST(ExportMessagesTest, EverySizeButTheRightOneIsRefused) {
  const Bytes open = message(with_header(OpenRequest{}, 1));
  const Bytes map = message(with_header(MapRequest{.header = {}, .hold = 1}, 1));
  const Bytes release = message(with_header(ReleaseNotice{.header = {}, .hold = 1}, 0));
  const Bytes mapped = message(with_header(MappedAnswer{.header = {}, .hold = 1}, 1));
  const Bytes refused = message(with_header(RefusedAnswer{.header = {}, .reason = 1}, 1));
  const auto check = [](auto read, const Bytes& good) {
    EXPECT_EQ(refusal(read, good), std::nullopt);
    for (std::size_t size = 0; size <= 2 * good.size(); ++size) {
      Bytes other = good;
      other.resize(size);
      if (size != good.size()) {
        EXPECT_TRUE(refusal(read, other)) << size;
      }
    }
  };
  check(read_open_request, open);
  check(read_map_request, map);
  check(read_release_notice, release);
  check(read_mapped_answer, mapped);
  check(read_refused_answer, refused);
}

TEST(ExportMessagesTest, WhatIsReservedIsZero) {
  OpenRequest open = with_header(OpenRequest{}, 1);
  open.writable = 1;
  EXPECT_EQ(refusal(read_open_request, message(open)), std::nullopt);
  open.to_map = 1;
  EXPECT_EQ(refusal(read_open_request, message(open)), std::nullopt);
  open.reserved[5] = 1;
  EXPECT_TRUE(refusal(read_open_request, message(open)));
  open = with_header(OpenRequest{.header = {}, .to_map = 2}, 1);
  EXPECT_TRUE(refusal(read_open_request, message(open)));
  open = with_header(OpenRequest{.header = {}, .writable = 2}, 1);
  EXPECT_TRUE(refusal(read_open_request, message(open)));
  EXPECT_TRUE(refusal(read_open_request, message(with_header(OpenRequest{}, 0)))) << "answers need a number";
  EXPECT_TRUE(refusal(read_release_notice, message(with_header(ReleaseNotice{.header = {}, .hold = 1}, 1))));
  EXPECT_TRUE(refusal(read_map_request, message(with_header(MapRequest{}, 1)))) << "hold 0";
  for (const std::uint32_t reason : {0U, 6U, ~0U}) {
    EXPECT_TRUE(refusal(read_refused_answer, message(with_header(RefusedAnswer{.header = {}, .reason = reason}, 1))));
  }
}

/// As the rules are written, with numbers that cannot overflow.
bool lies_within(const OpenedAnswer& answer) {
  __extension__ using Wide = unsigned __int128;
  return answer.segment_bytes <= (std::uint64_t{1} << 63) - 1 && answer.offset >= 4096 && answer.offset % 256 == 0 &&
         Wide{answer.offset} + Wide{answer.bytes} <= Wide{answer.segment_bytes};
}

TEST(ExportMessagesTest, WhateverIsAcceptedLiesWithin) {
  std::mt19937_64 random(20'251'125);
  const auto number = [&random]() -> std::uint64_t {
    const std::uint64_t any = random();
    switch (random() % 6) {
      case 0:
        return any;
      case 1:
        return any % (1 << 21);
      case 2:
        return any % 64 * 256 + 4096;
      case 3:
        return ~(any % 512);
      case 4:
        return std::uint64_t{1} << any % 64;
      default:
        return (std::uint64_t{1} << any % 64) - 1;
    }
  };
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 30'000; ++i) {
    OpenedAnswer answer = good_answer();
    answer.segment_bytes = number();
    answer.offset = number();
    answer.bytes = number();
    const bool taken = !refusal_of(answer);
    EXPECT_EQ(taken, lies_within(answer)) << answer.segment_bytes << " " << answer.offset << " " << answer.bytes;
    ++(taken ? accepted : refused);
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 1000);
}

TEST(ExportMessagesTest, FlippedBitsAndNoiseAreNeverTakenOutOfBounds) {
  std::mt19937_64 random(5);
  const Bytes good = message(good_answer(), 3);
  for (int i = 0; i < 15'000; ++i) {
    Bytes bytes = good;
    if (i % 4 == 0) bytes.resize(random() % 200);
    const std::size_t flips = 1 + random() % 4;
    for (std::size_t flip = 0; flip < flips && !bytes.empty(); ++flip) {
      bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << random() % 8);
    }
    for (const auto& read :
         {+[](const Bytes& one) { read_open_request(one); }, +[](const Bytes& one) { read_map_request(one); },
          +[](const Bytes& one) { read_release_notice(one); }, +[](const Bytes& one) { read_mapped_answer(one); },
          +[](const Bytes& one) { (void)read_refused_answer(one); }}) {
      (void)refusal(read, bytes);
    }
    try {
      const Opened opened = read_opened_answer(bytes);
      EXPECT_TRUE(lies_within(opened.answer));
      EXPECT_EQ(opened.note.size(), bytes.size() - sizeof(OpenedAnswer));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_error);
    }
  }
}

}  // namespace
}  // namespace remotemedia
