// SPDX-License-Identifier: Apache-2.0
//
// What views are is tested with layout_views_test.cpp; here, that a TensorBuffer applies them to its memory and keeps
// it.

#include <gtest/gtest.h>

#include <numeric>
#include <span>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;

TensorBuffer counting(const Dims& shape) {
  TensorBuffer tensor = TensorBuffer::allocate(shape, DataType::uint8);
  const std::span<std::uint8_t> elements = tensor.span<std::uint8_t>();
  std::iota(elements.begin(), elements.end(), std::uint8_t{0});
  return tensor;
}

std::vector<int> values(const TensorBuffer& tensor) {
  std::vector<int> numbers;
  for (const std::byte byte : tensor.to_bytes()) numbers.push_back(static_cast<int>(byte));
  return numbers;
}

TEST(TensorViewsTest, ShareMemoryAndOutliveTheOriginal) {
  TensorBuffer corner;
  {
    const TensorBuffer tensor = counting({4, 6});
    corner = tensor.slice(0, {.begin = -2}).slice(1, {.step = -2});
    tensor.span<std::uint8_t>()[23] = 200;
  }
  EXPECT_EQ(corner.shape(), (Dims{2, 3}));
  EXPECT_EQ(values(corner), (std::vector<int>{17, 15, 13, 200, 21, 19}));
}

TEST(TensorViewsTest, WritesGoThrough) {
  const TensorBuffer tensor = counting({2, 3});
  tensor.transpose().select(0, 1).assign(counting({2}));
  EXPECT_EQ(values(tensor), (std::vector<int>{0, 0, 2, 3, 1, 5}));
}

TEST(TensorViewsTest, ReshapeAndItsRefusal) {
  const TensorBuffer tensor = counting({2, 6});
  EXPECT_EQ(values(tensor.reshape({-1, 4})), values(tensor));
  EXPECT_EQ(tensor.reshape({-1, 4}).shape(), (Dims{3, 4}));
  EXPECT_EQ(tensor.reshape({3, 4}).data(), tensor.data());
  EXPECT_EQ(tensor.select(0, 1).reshape({2, 3}).data(), tensor.data() + 6);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { tensor.transpose().reshape({12}); }), ErrorCode::zero_copy_unavailable);
    EXPECT_EQ(code_thrown([&] { tensor.reshape({5}); }), ErrorCode::invalid_tensor);
  }
  EXPECT_EQ(values(tensor.transpose().copy().reshape({12})).size(), 12U);
}

TEST(TensorViewsTest, ReshapeWithoutElementsMayNotHideASizeThatCannotBe) {
  const TensorBuffer none = TensorBuffer::allocate({0}, DataType::float64);
  EXPECT_EQ(none.reshape({7, 0}).shape(), (Dims{7, 0}));
  EXPECT_EQ(code_thrown([&] { none.reshape({0, std::int64_t{1} << 62}); }), ErrorCode::invalid_tensor);
}

TEST(TensorViewsTest, BroadcastIsReadOnly) {
  const TensorBuffer wide = counting({3}).broadcast_to({2, 3});
  EXPECT_TRUE(wide.read_only());
  EXPECT_EQ(values(wide), (std::vector<int>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(wide.nbytes(), 6U);
}

TEST(TensorViewsTest, AnAxisOfOneCanBePutIn) {
  const TensorBuffer tensor = counting({3});
  EXPECT_EQ(tensor.expand_dims(0).shape(), (Dims{1, 3}));
  EXPECT_EQ(tensor.expand_dims(1).span<std::uint8_t>()[2], 2);
}

TEST(TensorViewsTest, ManyAxesWork) {
  TensorBuffer tensor = counting({2, 3});
  while (tensor.shape().size() < kMaxRank) tensor = tensor.expand_dims(tensor.shape().size() / 2);
  EXPECT_EQ(tensor.shape().size(), 64U);
  EXPECT_EQ(values(tensor.transpose()), (std::vector<int>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(code_thrown([&] { tensor.expand_dims(0); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(values(tensor.reshape({6})), (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace remotemedia
