// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/keep_alive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <string>

#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Spelling {
  std::string text;
  Duration meaning;
};

const Spelling kSpellings[] = {
    {"90", 90s},
    {"0", 0s},
    {"0s", 0s},
    {"-0", 0s},
    {"+5", 5s},
    {"1.5", 1500ms},
    {".5", 500ms},
    {"300ms", 300ms},
    {"30s", 30s},
    {"5m", 5min},
    {"1h30m", 90min},
    {"1.5h", 90min},
    {"1h0m1s", 3601s},
    {"2h45m30s500ms", 2h + 45min + 30s + 500ms},
    {"100us", 100us},
    {"100\u00b5s", 100us},
    {"7ns", 7ns},
    {"24h", 24h},
    {"87600h", 87600h},
    {"-1", kKeepForever},
    {"-1m", kKeepForever},
    {"-1h30m", kKeepForever},
    {"-0.001ms", kKeepForever},
    {"-99999999999999999999", kKeepForever},
};

TEST(KeepAliveTextTest, OllamasGrammarIsRead) {
  for (const Spelling& spelling : kSpellings) {
    EXPECT_EQ(parse_keep_alive(spelling.text), spelling.meaning) << "'" << spelling.text << "'";
  }
}

const std::string kNonsense[] = {
    "",
    " ",
    "-",
    "+",
    "m",
    "5 m",
    " 5m",
    "5m ",
    "5x",
    "5d",
    "1w",
    "five",
    "1e3",
    "1e3s",
    "inf",
    "-inf",
    "nan",
    "0x10",
    "1.2.3",
    ".",
    "5m30",
    "5mm",
    "m5",
    "--1",
    "+-1",
    "-+1",
    "1_000",
    "1,5s",
    "5M",
    "5S",
    "5h-3m",
    "∞",
    "5m\n",
    "99999999h99999999h",
    "99999999999",
    "None",
    "1h 30m",
    "5min",
    "5 ",
    "3s2",
};

TEST(KeepAliveTextTest, NonsenseIsRefusedWithTheTextAndTheGrammar) {
  for (const std::string& text : kNonsense) {
    SCOPED_TRACE("'" + text + "'");
    const Error error = testing::thrown([&] { parse_keep_alive(text); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), HasSubstr("'" + text + "'"));
    EXPECT_THAT(error.what(), HasSubstr("5m"));
  }
}

TEST(KeepAliveTextTest, ATextWithAZeroByteIsRefused) {
  EXPECT_EQ(testing::code_thrown([] { parse_keep_alive(std::string_view("5m\0", 3)); }), ErrorCode::invalid_argument);
}

TEST(KeepAliveFromSecondsTest, ReadsNumbers) {
  EXPECT_EQ(keep_alive_from_seconds(90), 90s);
  EXPECT_EQ(keep_alive_from_seconds(0), 0s);
  EXPECT_EQ(keep_alive_from_seconds(-0.0), 0s);
  EXPECT_EQ(keep_alive_from_seconds(0.25), 250ms);
  EXPECT_EQ(keep_alive_from_seconds(1e-9), 1ns);
  EXPECT_EQ(keep_alive_from_seconds(-1), kKeepForever);
  EXPECT_EQ(keep_alive_from_seconds(-0.5), kKeepForever);
  EXPECT_EQ(keep_alive_from_seconds(-1e300), kKeepForever);
}

TEST(KeepAliveFromSecondsTest, RefusesWhatIsNoDuration) {
  for (const double seconds :
       {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 1e10, 1e300}) {
    EXPECT_EQ(testing::code_thrown([&] { keep_alive_from_seconds(seconds); }), ErrorCode::invalid_argument) << seconds;
  }
}

}  // namespace
}  // namespace remotemedia
