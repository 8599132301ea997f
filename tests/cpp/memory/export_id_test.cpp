// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "remotemedia/platform/machine.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using testing::thrown;

ExportId any_id() {
  ExportId id;
  platform::random_bytes(id.broker);
  platform::random_bytes(id.number);
  platform::random_bytes(id.secret);
  return id;
}

TEST(ExportIdTest, IsReadAsItWasWritten) {
  for (int i = 0; i < 1000; ++i) {
    const ExportId id = any_id();
    EXPECT_EQ(read_export_id(to_text(id)), id);
  }
}

TEST(ExportIdTest, IsAWordOf118Characters) {
  const ExportId id{.broker = {std::byte{0x01}}, .number = {std::byte{0xAB}}, .secret = {std::byte{0xF0}}};
  EXPECT_EQ(to_text(id), "rm1-0100000000000000-ab000000000000000000000000000000-f0" + std::string(62, '0'));
  EXPECT_EQ(to_text(id).size(), 118U);
}

TEST(ExportIdTest, EveryOtherTextIsRefused) {
  const std::string good = to_text(any_id());
  for (const std::string& text :
       {std::string(), std::string("x"), good + "0", good.substr(1), good + "\n", " " + good, std::string(118, '-'),
        std::string(118, '\0'), std::string(1 << 20, 'a'), "rm2" + good.substr(3), "RM1" + good.substr(3)}) {
    EXPECT_EQ(code_thrown([&] { read_export_id(text); }), ErrorCode::shared_memory_unavailable);
    EXPECT_EQ(code_thrown([&] { read_export_id(text); }), ErrorCode::shared_memory_unavailable);
  }
}

TEST(ExportIdTest, EveryCharacterCounts) {
  const ExportId id = any_id();
  const std::string good = to_text(id);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char other : {'g', 'A', '-', '/', ':', '\0', '\x80', ' '}) {
      std::string text = good;
      if (text[i] == other) continue;
      text[i] = other;
      EXPECT_EQ(code_thrown([&] { read_export_id(text); }), ErrorCode::shared_memory_unavailable)
          << i << " " << int{other};
    }
    std::string text = good;
    if (text[i] == '-' || i < 3) continue;
    text[i] = text[i] == '0' ? '1' : '0';
    EXPECT_NE(read_export_id(text), id);
  }
}

TEST(ExportIdTest, ARefusalDoesNotRepeatTheText) {
  std::string text = to_text(any_id());
  text.back() = 'x';
  const std::string said = thrown([&] { read_export_id(text); }).what();
  for (std::size_t i = 0; i + 8 <= text.size(); ++i) {
    EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr(text.substr(i, 8))));
  }
}

TEST(ExportIdTest, SecretsDifferInEveryByte) {
  const ExportSecret secret = any_id().secret;
  EXPECT_TRUE(equal_secrets(secret, secret));
  for (std::size_t i = 0; i < secret.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      ExportSecret other = secret;
      other[i] ^= std::byte{1} << bit;
      EXPECT_FALSE(equal_secrets(secret, other));
      EXPECT_FALSE(equal_secrets(other, secret));
    }
  }
}

TEST(ExportIdTest, TheAddressIsInThisUsersRunDirectory) {
  EXPECT_EQ(broker_address(BrokerName{std::byte{0xC0}}), platform::run_directory() / "exports-c000000000000000");
}

}  // namespace
}  // namespace remotemedia
