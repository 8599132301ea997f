// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/inference_context.h"

#include <gtest/gtest.h>

#include <any>
#include <atomic>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "testing/thrown.h"

namespace remotemedia {
namespace {

RequestInfo ending_with(const std::atomic<bool>& over) {
  RequestInfo info;
  info.over = &over;
  return info;
}

TEST(RequestInfoTest, IsCancelledWhenNobodyWaits) {
  EXPECT_FALSE(RequestInfo{}.cancelled());
  std::atomic<bool> over{false};
  const RequestInfo info = ending_with(over);
  EXPECT_FALSE(info.cancelled());
  over = true;
  EXPECT_TRUE(info.cancelled());
}

TEST(InferenceContextTest, IsCancelledWhenAllOfItsRequestsAre) {
  std::atomic<bool> over{false};
  std::atomic<bool> other_over{false};
  const InferenceContext context({ending_with(over), ending_with(other_over)});
  EXPECT_FALSE(context.cancelled());
  other_over = true;
  EXPECT_FALSE(context.cancelled());
  over = true;
  EXPECT_TRUE(context.cancelled());
}

TEST(InferenceContextTest, IsNotCancelledWithoutRequests) { EXPECT_FALSE(InferenceContext({}).cancelled()); }

TEST(InferenceContextTest, AStateCanBeReplaced) {
  std::vector<RequestInfo> infos(2);
  infos[1].rows = 3;
  infos[1].state = 1;
  InferenceContext context(std::move(infos));
  ASSERT_EQ(context.requests().size(), 2U);
  EXPECT_EQ(context.requests()[1].rows, 3);
  context.requests()[1].state = 2;
  EXPECT_EQ(std::any_cast<int>(context.requests()[1].state), 2);
  EXPECT_FALSE(context.requests()[0].state.has_value());
}

TEST(InferenceContextTest, AllocatesMemoryOfThisProcess) {
  InferenceContext context({});
  const TensorBuffer tensor = context.allocate({2, 3}, DataType::int16);
  EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
  EXPECT_EQ(tensor.dtype(), DataType::int16);
  EXPECT_EQ(tensor.storage(), StorageKind::heap);
  EXPECT_FALSE(tensor.read_only());
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(testing::code_thrown([&] { context.allocate({-1}, DataType::int16); }), ErrorCode::invalid_tensor);
  }
}

TEST(InferenceContextTest, OrWhereItsCallerReads) {
  const TensorBuffer given = TensorBuffer::allocate({1}, DataType::int8);
  std::optional<std::pair<Dims, DataType>> asked;
  InferenceContext context({}, [&](const Dims& shape, DataType dtype) {
    asked.emplace(shape, dtype);
    return given;
  });
  EXPECT_EQ(context.allocate({4, 5}, DataType::float64).data(), given.data());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->first, (Dims{4, 5}));
  EXPECT_EQ(asked->second, DataType::float64);
}

TEST(InferenceContextTest, IsNeitherCopiedNorMoved) {
  static_assert(!std::is_copy_constructible_v<InferenceContext> && !std::is_copy_assignable_v<InferenceContext>);
  static_assert(!std::is_move_constructible_v<InferenceContext>);
}

}  // namespace
}  // namespace remotemedia
