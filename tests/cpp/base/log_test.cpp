// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "testing/together.h"

namespace remotemedia {
namespace {

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { set_log_sink({}); }
};

TEST_F(LogTest, IsSilentWithoutASink) { log(LogLevel::error, "nobody listens"); }

TEST_F(LogTest, TheSinkGetsLevelAndText) {
  std::vector<std::pair<LogLevel, std::string>> heard;
  set_log_sink([&](LogLevel level, std::string_view message) { heard.emplace_back(level, message); });
  log(LogLevel::warning, "careful");
  log(LogLevel::debug, "detail");
  EXPECT_THAT(heard, ::testing::ElementsAre(std::pair(LogLevel::warning, std::string("careful")),
                                            std::pair(LogLevel::debug, std::string("detail"))));
}

TEST_F(LogTest, AnEmptySinkSilencesAgain) {
  int heard = 0;
  set_log_sink([&](LogLevel, std::string_view) { ++heard; });
  log(LogLevel::info, "one");
  set_log_sink({});
  log(LogLevel::info, "two");
  EXPECT_EQ(heard, 1);
}

TEST_F(LogTest, ASinkMayLogAndReplaceItself) {
  std::vector<std::string> heard;
  set_log_sink([&](LogLevel, std::string_view message) {
    heard.emplace_back(message);
    if (message == "first") {
      set_log_sink([&](LogLevel, std::string_view later) { heard.push_back("new: " + std::string(later)); });
      log(LogLevel::info, "second");
    }
  });
  log(LogLevel::info, "first");
  EXPECT_THAT(heard, ::testing::ElementsAre("first", "new: second"));
}

TEST_F(LogTest, AReplacedSinkIsDestroyedOnceNobodyCallsIt) {
  const auto token = std::make_shared<int>(0);
  set_log_sink([token](LogLevel, std::string_view) {});
  EXPECT_EQ(token.use_count(), 2);
  set_log_sink({});
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(LogTest, ManyThreadsLogWhileTheSinkChanges) {
  std::atomic<int> heard{0};
  testing::together(8, [&](std::size_t i) {
    for (int round = 0; round < 200; ++round) {
      if (i == 0) {
        set_log_sink([&heard](LogLevel, std::string_view) { ++heard; });
      } else {
        log(LogLevel::info, "message");
      }
    }
  });
  log(LogLevel::info, "message");
  EXPECT_GT(heard, 0);
  EXPECT_LE(heard, 7 * 200 + 1);
}

}  // namespace
}  // namespace remotemedia
