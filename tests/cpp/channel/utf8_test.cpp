// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace remotemedia::detail {
namespace {

using namespace std::string_view_literals;

std::string encoded(std::uint32_t point) {
  const auto continued = [point](unsigned shift) { return static_cast<char>(0x80U | ((point >> shift) & 0x3FU)); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0U | (point >> 6)), continued(0)};
  if (point < 0x10000) return {static_cast<char>(0xE0U | (point >> 12)), continued(6), continued(0)};
  return {static_cast<char>(0xF0U | (point >> 18)), continued(12), continued(6), continued(0)};
}

TEST(Utf8Test, EveryCharacterButTheSurrogatesPasses) {
  for (std::uint32_t point = 0; point < 0x120000; ++point) {
    const bool is_character = point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
    ASSERT_EQ(is_utf8(encoded(point)), is_character) << point;
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\0b"sv));
}

TEST(Utf8Test, WhatIsNotTheShortestFormIsRefused) {
  for (const std::string_view bytes :
       {"\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv, "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv}) {
    EXPECT_FALSE(is_utf8(bytes));
  }
}

TEST(Utf8Test, PartsOfACharacterAreRefused) {
  for (const std::string_view whole : {"\xC3\xA9"sv, "\xE2\x82\xAC"sv, "\xF0\x9F\x98\x80"sv}) {
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_FALSE(is_utf8(whole.substr(0, size)));
      EXPECT_FALSE(is_utf8(whole.substr(size)));
      EXPECT_FALSE(is_utf8(std::string(whole.substr(0, size)) + "a")) << "cut by another character";
    }
  }
  for (unsigned byte = 0x80; byte < 0x100; ++byte) {
    EXPECT_FALSE(is_utf8(std::string(1, static_cast<char>(byte)))) << byte;
  }
}

TEST(Utf8Test, WhatIsNoTextIsReplacedByteByByte) {
  EXPECT_EQ(sendable_text("as it is: \xC3\xA9\xF0\x9F\x98\x80", 100), "as it is: \xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(sendable_text("a\xFF\xC3z", 100), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_TRUE(is_utf8(sendable_text(std::string(1000, '\xED'), 100)));
}

TEST(Utf8Test, ATextIsCutBetweenCharacters) {
  EXPECT_EQ(sendable_text("abc", 2), "ab");
  EXPECT_EQ(sendable_text("ab\xC3\xA9", 3), "ab");
  EXPECT_EQ(sendable_text("ab\xC3\xA9", 4), "ab\xC3\xA9");
  EXPECT_EQ(sendable_text("a\xFF", 3), "a");
  EXPECT_EQ(sendable_text("abc", 0), "");
}

}  // namespace
}  // namespace remotemedia::detail
