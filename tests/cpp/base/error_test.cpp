// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "testing/thrown.h"

namespace remotemedia {
namespace {

TEST(ErrorTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::invalid_argument); ++code) {
    names.emplace(to_string(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), 16U);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(to_string(static_cast<ErrorCode>(99)), "unknown");
}

TEST(ErrorTest, CarriesItsCodeAndTextThroughStdException) {
  const auto error = std::make_exception_ptr(Error(ErrorCode::rejected, "the queue is full"));
  try {
    std::rethrow_exception(error);
  } catch (const std::runtime_error& caught) {
    EXPECT_STREQ(caught.what(), "the queue is full");
    ASSERT_NE(dynamic_cast<const Error*>(&caught), nullptr);
    EXPECT_EQ(dynamic_cast<const Error&>(caught).code(), ErrorCode::rejected);
  }
}

TEST(ErrorTest, KeepsItsCauseWithItsType) {
  std::exception_ptr error;
  try {
    try {
      throw std::out_of_range("no such file");
    } catch (...) {
      std::throw_with_nested(Error(ErrorCode::load_failed, "loading failed"));
    }
  } catch (...) {
    error = std::current_exception();
  }
  EXPECT_THROW(std::rethrow_exception(testing::cause_of(error)), std::out_of_range);
  EXPECT_EQ(testing::chain_of(error), "loading failed <- no such file");
}

TEST(ErrorTest, OutOfMemoryIsAnErrorThatSaysWhatIsMissing) {
  const OutOfMemory error("does not fit", OutOfMemory::Unit::bytes, 100, 40, {"a", "b"});
  const Error& base = error;
  EXPECT_EQ(base.code(), ErrorCode::out_of_memory);
  EXPECT_STREQ(base.what(), "does not fit");
  EXPECT_EQ(error.unit, OutOfMemory::Unit::bytes);
  EXPECT_EQ(error.needed, 100U);
  EXPECT_EQ(error.available, 40U);
  EXPECT_THAT(error.holders, ::testing::ElementsAre("a", "b"));
}

TEST(ErrorTest, CanBeThrownAndCopied) {
  static_assert(std::is_nothrow_move_constructible_v<Error> || std::is_copy_constructible_v<Error>);
  static_assert(std::is_base_of_v<std::runtime_error, Error>);
  static_assert(std::is_base_of_v<Error, OutOfMemory>);
  OutOfMemory error("first", OutOfMemory::Unit::models, 1, 0, {"x"});
  error = OutOfMemory("second", OutOfMemory::Unit::bytes, 2, 1, {"y", "z"});
  EXPECT_STREQ(error.what(), "second");
  EXPECT_EQ(error.needed, 2U);
  EXPECT_THAT(error.holders, ::testing::ElementsAre("y", "z"));
}

}  // namespace
}  // namespace remotemedia
