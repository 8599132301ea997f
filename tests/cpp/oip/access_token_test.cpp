// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/access_token.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace remotemedia::detail {
namespace {

constexpr std::string_view kToken = "s3cret-token";

TEST(AccessTokenTest, WhereNoneIsWantedEverybodyIsAuthorized) {
  EXPECT_TRUE(is_authorized("", ""));
  EXPECT_TRUE(is_authorized("", "Bearer anything"));
  EXPECT_TRUE(is_authorized({}, "no header at all"));
}

TEST(AccessTokenTest, TheTokenItselfIsRight) {
  EXPECT_TRUE(is_authorized(kToken, "Bearer s3cret-token"));
  EXPECT_TRUE(is_authorized("x", "Bearer x"));
  EXPECT_TRUE(is_authorized("Bearer ", "Bearer Bearer "));
}

TEST(AccessTokenTest, AnotherSchemeIsWrong) {
  for (const std::string_view header :
       {"", "s3cret-token", "Bearer", "Bearers3cret-token", "Basic s3cret-token", " Bearer s3cret-token"}) {
    EXPECT_FALSE(is_authorized(kToken, header)) << header;
  }
}

TEST(AccessTokenTest, AnotherLengthIsWrongAlsoWhereAllOfItIsRight) {
  const std::string right = "Bearer " + std::string(kToken);
  for (std::size_t length = 0; length < right.size(); ++length) {
    EXPECT_FALSE(is_authorized(kToken, std::string_view(right).substr(0, length))) << length;
  }
  EXPECT_FALSE(is_authorized(kToken, right + " "));
  EXPECT_FALSE(is_authorized(kToken, right + std::string(1, '\0')));
  EXPECT_FALSE(is_authorized(kToken, right + std::string(kToken)));
  EXPECT_FALSE(is_authorized(kToken, "Bearer  s3cret-token"));
}

TEST(AccessTokenTest, EveryByteCountsAndEveryBitOfIt) {
  const std::string right = "Bearer " + std::string(kToken);
  for (std::size_t at = 0; at < right.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = right;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      EXPECT_FALSE(is_authorized(kToken, wrong)) << at << " " << bit;
    }
  }
  EXPECT_TRUE(is_authorized(kToken, right));
}

TEST(AccessTokenTest, ByteZeroIsAByteAsAnyOther) {
  const std::string token("a\0b", 3);
  EXPECT_TRUE(is_authorized(token, "Bearer " + token));
  EXPECT_FALSE(is_authorized(token, "Bearer a"));
  EXPECT_FALSE(is_authorized(token, "Bearer " + std::string("a\0c", 3)));
}

}  // namespace
}  // namespace remotemedia::detail
