// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/protocol_version.h"

#include <gtest/gtest.h>

#include <vector>

namespace remotemedia::detail {
namespace {

using Versions = std::vector<ProtocolVersion>;

TEST(ProtocolVersionTest, TheNewestThatBothUnderstandIsChosen) {
  EXPECT_EQ(choose_version(Versions{{1, 0}}, Versions{{1, 0}}), (ProtocolVersion{1, 0}));
  EXPECT_EQ(choose_version(Versions{{1, 9}, {2, 1}}, Versions{{1, 3}, {2, 4}, {3, 0}}), (ProtocolVersion{2, 1}));
  EXPECT_EQ(choose_version(Versions{{1, 9}, {4, 1}}, Versions{{1, 3}, {2, 4}}), (ProtocolVersion{1, 3}));
}

TEST(ProtocolVersionTest, WithoutACommonMajorVersionThereIsNone) {
  EXPECT_EQ(choose_version(Versions{{2, 0}}, Versions{{1, 0}}), std::nullopt);
  EXPECT_EQ(choose_version(Versions{}, Versions{{1, 0}}), std::nullopt);
}

TEST(ProtocolVersionTest, AreWrittenAsPeopleWriteThem) {
  EXPECT_EQ(to_string(ProtocolVersion{1, 12}), "1.12");
  EXPECT_EQ(to_string(Versions{{1, 0}, {2, 3}}), "1.0, 2.3");
  EXPECT_EQ(to_string(Versions{}), "");
}

}  // namespace
}  // namespace remotemedia::detail
