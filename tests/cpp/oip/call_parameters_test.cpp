// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/call_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;
using testing::thrown;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMostMicroseconds = kMost / 1000;
constexpr std::int64_t kLowestLevel = (std::int64_t{1} << 30) - 1;

Parameter text(const std::string& value) { return value; }
Parameter number(std::int64_t value) { return value; }

CallParameters with(const std::string& name, const Parameter& value) { return call_parameters({{name, value}}); }

/// Refused, by name; and what is right is taken after it.
void expect_refused(const Parameters& parameters, const std::string& name) {
  const Error error = thrown([&] { call_parameters(parameters); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
  EXPECT_THAT(error.what(), HasSubstr("'" + name + "'"));
  EXPECT_EQ(with("priority", number(kLowestLevel)).priority, 1);
}

TEST(CallParametersTest, NoneAreACallWithoutSessionPriorityAndTimeout) {
  const CallParameters found = call_parameters({});
  EXPECT_FALSE(found.session_id);
  EXPECT_FALSE(found.begins_session);
  EXPECT_FALSE(found.ends_session);
  EXPECT_EQ(found.priority, 0);
  EXPECT_FALSE(found.timeout);
  EXPECT_TRUE(found.own.empty());
}

TEST(CallParametersTest, ASequenceIsNamedByATextOrANumber) {
  EXPECT_EQ(with("sequence_id", text("left ear")).session_id, "left ear");
  EXPECT_EQ(with("sequence_id", text("0")).session_id, "0");
  EXPECT_EQ(with("sequence_id", number(7)).session_id, "7");
  EXPECT_EQ(with("sequence_id", number(kMost)).session_id, "9223372036854775807");
}

TEST(CallParametersTest, ANumberOfASequenceAbove63BitsIsTheUnsignedOneThatWasSent) {
  EXPECT_EQ(with("sequence_id", number(kLeast)).session_id, "9223372036854775808");
  EXPECT_EQ(with("sequence_id", number(-1)).session_id, "18446744073709551615");
}

TEST(CallParametersTest, NumberZeroAndTheEmptyTextNameNoSequence) {
  EXPECT_FALSE(with("sequence_id", number(0)).session_id);
  EXPECT_FALSE(with("sequence_id", text("")).session_id);
}

TEST(CallParametersTest, ASequenceOfAnotherTypeIsRefused) {
  expect_refused({{"sequence_id", true}}, "sequence_id");
  expect_refused({{"sequence_id", 7.0}}, "sequence_id");
}

TEST(CallParametersTest, ASequenceBeginsAndEndsWhereItIsSaid) {
  const Parameter id = number(7);
  const CallParameters first = call_parameters({{"sequence_id", id}, {"sequence_start", true}});
  EXPECT_EQ(first.session_id, "7");
  EXPECT_TRUE(first.begins_session);
  EXPECT_FALSE(first.ends_session);
  const CallParameters last = call_parameters({{"sequence_id", id}, {"sequence_end", true}});
  EXPECT_FALSE(last.begins_session);
  EXPECT_TRUE(last.ends_session);
  const CallParameters only = call_parameters({{"sequence_id", id}, {"sequence_start", true}, {"sequence_end", true}});
  EXPECT_TRUE(only.begins_session);
  EXPECT_TRUE(only.ends_session);
  const CallParameters middle =
      call_parameters({{"sequence_id", id}, {"sequence_start", false}, {"sequence_end", false}});
  EXPECT_EQ(middle.session_id, "7");
  EXPECT_FALSE(middle.begins_session);
  EXPECT_FALSE(middle.ends_session);
}

TEST(CallParametersTest, ABeginOrAnEndOfNoSequenceIsRefused) {
  for (const char* const flag : {"sequence_start", "sequence_end"}) {
    expect_refused({{flag, true}}, "sequence_id");
    expect_refused({{flag, true}, {"sequence_id", number(0)}}, "sequence_id");
    expect_refused({{flag, true}, {"sequence_id", text("")}}, "sequence_id");
  }
}

TEST(CallParametersTest, NoBeginAndNoEndNeedNoSequence) {
  // As clients send them with every call.
  const CallParameters found =
      call_parameters({{"sequence_id", number(0)}, {"sequence_start", false}, {"sequence_end", false}});
  EXPECT_FALSE(found.session_id);
  EXPECT_FALSE(found.begins_session);
  EXPECT_FALSE(found.ends_session);
}

TEST(CallParametersTest, FlagsOfAnotherTypeAreRefused) {
  for (const std::string flag : {"sequence_start", "sequence_end"}) {
    for (const Parameter& value : {number(1), number(0), Parameter{1.0}, text("true")}) {
      expect_refused({{"sequence_id", number(7)}, {flag, value}}, flag);
    }
  }
}

TEST(CallParametersTest, PriorityOneIsTheHighestAndNoneTheLowest) {
  int before = std::numeric_limits<int>::max();
  for (const std::int64_t level : {std::int64_t{1}, std::int64_t{2}, std::int64_t{1000}, kLowestLevel}) {
    const int priority = with("priority", number(level)).priority;
    EXPECT_LT(priority, before) << level;
    EXPECT_GT(priority, 0) << level;
    before = priority;
  }
  EXPECT_EQ(with("priority", number(0)).priority, 0);
}

TEST(CallParametersTest, APriorityThatIsNoLevelIsRefused) {
  for (const std::int64_t level : {std::int64_t{-1}, kLeast, kLowestLevel + 1, std::int64_t{1} << 32, kMost}) {
    expect_refused({{"priority", number(level)}}, "priority");
  }
  for (const Parameter& value : {Parameter{true}, Parameter{1.0}, text("1")}) {
    expect_refused({{"priority", value}}, "priority");
  }
}

TEST(CallParametersTest, ATimeoutIsInMicroseconds) {
  EXPECT_EQ(with("timeout", number(1)).timeout, std::chrono::microseconds{1});
  EXPECT_EQ(with("timeout", number(2'500'000)).timeout, std::chrono::milliseconds{2500});
  EXPECT_FALSE(with("timeout", number(0)).timeout);
}

TEST(CallParametersTest, TheLongestTimeoutIsWhatADurationHolds) {
  EXPECT_EQ(with("timeout", number(kMostMicroseconds)).timeout, std::chrono::microseconds{kMostMicroseconds});
  EXPECT_GT(*with("timeout", number(kMostMicroseconds)).timeout, Duration::zero());
}

TEST(CallParametersTest, ATimeoutThatIsNoTimeIsRefused) {
  for (const std::int64_t timeout : {std::int64_t{-1}, kLeast, kMostMicroseconds + 1, kMost}) {
    expect_refused({{"timeout", number(timeout)}}, "timeout");
  }
  for (const Parameter& value : {Parameter{true}, Parameter{0.5}, text("1000")}) {
    expect_refused({{"timeout", value}}, "timeout");
  }
}

TEST(CallParametersTest, TheModelsOwnAreLeftAsTheyAre) {
  const Parameters own{{"Timeout", text("soon")}, {"sequence", false}, {"temperature", 0.25},
                       {"", number(kLeast)},      {"text", text("")},  {"sequence_id2", number(3)},
                       {"priority ", number(-1)}};
  EXPECT_EQ(call_parameters(own).own, own);

  Parameters all = own;
  all.emplace("sequence_id", text("s"));
  all.emplace("sequence_start", true);
  all.emplace("sequence_end", true);
  all.emplace("priority", number(1));
  all.emplace("timeout", number(10));
  const CallParameters found = call_parameters(all);
  EXPECT_EQ(found.own, own);
  EXPECT_EQ(found.session_id, "s");
  EXPECT_EQ(found.priority, kLowestLevel);
  EXPECT_EQ(found.timeout, std::chrono::microseconds{10});
}

TEST(CallParametersTest, ThoseThatSayNothingAreNotTheModelsEither) {
  const CallParameters found = call_parameters({{"sequence_id", number(0)},
                                                {"sequence_start", false},
                                                {"sequence_end", false},
                                                {"priority", number(0)},
                                                {"timeout", number(0)}});
  EXPECT_TRUE(found.own.empty());
}

}  // namespace
}  // namespace remotemedia::detail
