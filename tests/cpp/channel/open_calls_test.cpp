// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/open_calls.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "testing/random_source.h"
#include "testing/rounds.h"
#include "worker/accepted_requests.h"

namespace remotemedia::detail {
namespace {

class OpenCallsTest : public ::testing::Test {
 protected:
  RequestPtr add(std::uint64_t number) { return calls_.place(number) = accepted_.accept({}); }

  testing::AcceptedRequests accepted_;
  OpenCalls calls_;
};

TEST_F(OpenCallsTest, OneIsFoundByItsNumberUntilItIsOver) {
  EXPECT_EQ(calls_.find(7), nullptr);
  const RequestPtr request = add(7);
  EXPECT_EQ(calls_.find(7), request);
  EXPECT_EQ(calls_.find(6), nullptr);
  EXPECT_EQ(calls_.find(8), nullptr);
  request->over = true;
  EXPECT_EQ(calls_.find(7), nullptr);
}

TEST_F(OpenCallsTest, TheNumberOfOneThatIsOverCanBeUsedAgain) {
  add(7)->over = true;
  const RequestPtr again = add(7);
  EXPECT_EQ(calls_.find(7), again);
  const RequestPtr lasting = add(3);
  add(5)->over = true;
  const RequestPtr behind_one_that_lasts = add(5);
  EXPECT_EQ(calls_.find(5), behind_one_that_lasts);
  EXPECT_EQ(calls_.find(3), lasting);
}

TEST_F(OpenCallsTest, OneWhosePlaceStaysEmptyIsOver) {
  calls_.place(7);
  EXPECT_EQ(calls_.find(7), nullptr);
  const RequestPtr again = add(7);
  EXPECT_EQ(calls_.find(7), again);
}

TEST_F(OpenCallsTest, ThoseThatAreOverAreLetGoAlsoBehindOneThatLasts) {
  const RequestPtr lasting = add(1);
  std::vector<std::weak_ptr<Request>> ended;
  for (std::uint64_t number = 2; number < 10'000; ++number) {
    const RequestPtr request = add(number);
    request->over = true;
    ended.push_back(request);
  }
  std::size_t kept = 0;
  for (const auto& request : ended) kept += request.expired() ? 0 : 1;
  EXPECT_LE(kept, 128U);
  EXPECT_EQ(calls_.find(1), lasting);
}

TEST_F(OpenCallsTest, ClearGivesAllThatAreOpenAndLeavesNone) {
  const RequestPtr one = add(1);
  const RequestPtr other = add(2);
  add(3)->over = true;
  calls_.place(4);
  EXPECT_EQ(calls_.clear(), (std::vector{one, other}));
  EXPECT_EQ(calls_.find(1), nullptr);
  EXPECT_TRUE(calls_.clear().empty());
}

TEST_F(OpenCallsTest, FindsWhatAMapFindsWhateverTheOrder) {
  testing::RandomSource random;
  SCOPED_TRACE(random.trace());
  std::map<std::uint64_t, RequestPtr> open;
  const std::uint64_t rounds = testing::slow_rounds(20'000);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const std::uint64_t number = 1 + random.below(200);
    const auto known = open.find(number);
    ASSERT_EQ(calls_.find(number), known != open.end() ? known->second : nullptr);
    if (known == open.end()) {
      open.emplace(number, add(number));
    } else {
      known->second->over = true;
      open.erase(known);
    }
  }
}

}  // namespace
}  // namespace remotemedia::detail
