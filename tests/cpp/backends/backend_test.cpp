// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "backends/written_file.h"
#include "remotemedia/base/error.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::thrown;
using testing::WrittenFile;

std::string refusal_of(const std::string& plugin) {
  const Error refused = thrown([&] { Backend::open(plugin); });
  EXPECT_EQ(refused.code(), ErrorCode::load_failed);
  EXPECT_THAT(refused.what(), HasSubstr(plugin));
  return refused.what();
}

TEST(BackendTest, SaysWhatItIsAndWhatItReads) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  EXPECT_EQ(linear.name(), "linear");
  EXPECT_EQ(linear.version(), "1.0");
  EXPECT_THAT(linear.file_kinds(), ElementsAre(".linear"));
}

TEST(BackendTest, KnowsItsFilesByTheirEndInAnyCase) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  EXPECT_TRUE(linear.reads("/models/a.linear"));
  EXPECT_TRUE(linear.reads("A.LINEAR"));
  EXPECT_FALSE(linear.reads("a.linear.txt"));
  EXPECT_FALSE(linear.reads("linear"));
  EXPECT_FALSE(linear.reads(""));
}

TEST(BackendTest, OpenedTwiceIsTheSameEngine) {
  const WrittenFile one("one.linear", "1 1 2");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Backend::open(REMOTEMEDIA_LINEAR_PLUGIN).load({.path = one.path()})->model_id(),
              std::filesystem::path(one.path()).stem().string());
  }
}

TEST(BackendTest, WhatIsNoPluginIsRefusedWithTheReason) {
  EXPECT_THAT(refusal_of("/no/such/plugin.so"), HasSubstr("no such file"));
  const WrittenFile text("plugin.so", "this is no library");
  refusal_of(text.path());
  EXPECT_THAT(refusal_of(REMOTEMEDIA_NO_ENTRY_PLUGIN), HasSubstr("no function remotemedia_backend"));
}

TEST(BackendTest, APluginThatSaysNothingOfItselfIsRefused) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(refusal_of(REMOTEMEDIA_NOTHING_PLUGIN), HasSubstr("gave nothing"));
    EXPECT_THAT(refusal_of(REMOTEMEDIA_THROWING_ENTRY_PLUGIN), HasSubstr("no engine today"));
    EXPECT_THAT(refusal_of(REMOTEMEDIA_NO_FUNCTIONS_PLUGIN), HasSubstr("missing"));
  }
}

TEST(BackendTest, APluginOfAnotherVersionIsRefusedWithBothVersions) {
  EXPECT_THAT(refusal_of(REMOTEMEDIA_OTHER_ABI_PLUGIN), AllOf(HasSubstr("version 2"), HasSubstr("version 1")));
}

TEST(BackendTest, AModelFileThatIsNotThereIsNamed) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  const Error refused = thrown([&] { linear.load({.path = "/no/such/model.linear"}); });
  EXPECT_EQ(refused.code(), ErrorCode::load_failed);
  EXPECT_THAT(refused.what(), HasSubstr("/no/such/model.linear"));
}

TEST(BackendTest, WhatTheEngineSaysOfAFileIsTheErrorsText) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  const WrittenFile cut("cut.linear", "2 2 1 2 3");
  for (int round = 0; round < 2; ++round) {
    const Error refused = thrown([&] { linear.load({.path = cut.path()}); });
    EXPECT_EQ(refused.code(), ErrorCode::load_failed);
    EXPECT_THAT(refused.what(), AllOf(HasSubstr("linear 1.0"), HasSubstr(cut.path()), HasSubstr("number 3")));
  }
}

TEST(BackendTest, AnOptionThatTheEngineDoesNotKnowIsRefused) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  const WrittenFile one("one.linear", "1 1 2");
  const Error refused = thrown([&] { linear.load({.path = one.path(), .options = {{"speed", "high"}}}); });
  EXPECT_THAT(refused.what(), HasSubstr("no option 'speed'"));
}

TEST(BackendTest, ProgressIsToldAsItIsMade) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  const WrittenFile two("two.linear", "2 1 1 1");
  std::vector<std::optional<double>> told;
  linear.load({.path = two.path(), .progress = [&](std::optional<double> fraction, std::string_view message) {
                 told.push_back(fraction);
                 EXPECT_EQ(message, "reading");
               }});
  EXPECT_THAT(told, ElementsAre(0.5, 1.0));
}

TEST(BackendTest, WhatTheListenerOfProgressThrowsEndsTheLoad) {
  const Backend linear = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  const WrittenFile two("two.linear", "2 1 1 1");
  int told = 0;
  const auto stop = [&](std::optional<double>, std::string_view) {
    ++told;
    throw std::domain_error("enough");
  };
  EXPECT_STREQ(thrown<std::domain_error>([&] { linear.load({.path = two.path(), .progress = stop}); }).what(),
               "enough");
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace remotemedia
