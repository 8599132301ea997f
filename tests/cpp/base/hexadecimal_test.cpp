// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/hexadecimal.h"

#include <gtest/gtest.h>

#include <array>

namespace remotemedia {
namespace {

TEST(HexadecimalTest, EachByteHasTwoDigitsTheHighOneFirst) {
  EXPECT_EQ(hexadecimal(std::array{std::byte{0x00}, std::byte{0x0f}, std::byte{0xa0}, std::byte{0xff}}), "000fa0ff");
  EXPECT_EQ(hexadecimal({}), "");
}

}  // namespace
}  // namespace remotemedia
