// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/answer_function.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "remotemedia/worker/request.h"

namespace remotemedia::detail {
namespace {

struct Told {
  std::vector<std::uint64_t> by;
};

void tell(void* told, std::uint64_t by, Answer&& /*answer*/) { static_cast<Told*>(told)->by.push_back(by); }

TEST(AnswerFunctionTest, CallsItsObjectAndKeepsIt) {
  auto told = std::make_shared<Told>();
  const std::weak_ptr<Told> alive = told;
  AnswerFunction function(told, 7, tell);
  function(Answer());
  const AnswerFunction copy = function;
  copy(Answer());
  EXPECT_EQ(told->by, (std::vector<std::uint64_t>{7, 7}));
  told.reset();
  function = {};
  EXPECT_FALSE(alive.expired()) << "the copy has it";
  copy(Answer());
  EXPECT_EQ(alive.lock()->by.size(), 3U);
}

TEST(AnswerFunctionTest, OneThatWasMovedIsNone) {
  AnswerFunction function = [](const Answer& /*answer*/) {};
  AnswerFunction other = std::move(function);
  EXPECT_FALSE(function);  // NOLINT(bugprone-use-after-move)
  function = std::move(other);
  EXPECT_TRUE(function);
  EXPECT_FALSE(other);  // NOLINT(bugprone-use-after-move)
}

TEST(AnswerFunctionTest, OfNothingIsNone) {
  EXPECT_FALSE(AnswerFunction());
  EXPECT_TRUE(AnswerFunction([](const Answer& /*answer*/) {}));
}

TEST(AnswerFunctionTest, ACallableIsSharedByItsCopies) {
  std::vector<int> numbers;
  const AnswerFunction function = [&numbers, number = 0](Answer&& answer) mutable {
    ++number;
    if (answer.last) numbers.push_back(number);
  };
  const AnswerFunction copy = function;
  copy(Answer{{}, nullptr, false});
  function(Answer());
  EXPECT_EQ(numbers, std::vector<int>{2});
}

}  // namespace
}  // namespace remotemedia::detail
