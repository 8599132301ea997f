// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/batch.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/tensor/packed_bytes.h"
#include "testing/thrown.h"
#include "worker/accepted_requests.h"
#include "worker/floats.h"

namespace remotemedia::detail {
namespace {

using testing::floats;
using testing::values;
using Floats = std::vector<float>;

class BatchTest : public ::testing::Test {
 protected:
  RequestPtr request(TensorMap inputs) {
    const std::int64_t rows = inputs.empty() ? 1 : inputs.begin()->second.shape()[0];
    return request(std::move(inputs), rows);
  }
  RequestPtr request(TensorMap inputs, std::int64_t rows) {
    Call call;
    call.inputs = std::move(inputs);
    return accepted_.accept(std::move(call), rows);
  }
  RequestPtr request_of(std::int64_t rows) { return request({{"x", floats({rows, 2})}}); }

 private:
  testing::AcceptedRequests accepted_;
};

TEST_F(BatchTest, TheInputsOfOneAreNotCopiedAndReadOnly) {
  const TensorBuffer x = floats({3, 4}, 5);
  const TensorBuffer transposed = floats({2, 3}).transpose();
  const std::vector<RequestPtr> one{request({{"x", x}, {"y", transposed}})};
  const TensorMap inputs = joined_inputs(one);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs.at("x").data(), x.data());
  EXPECT_EQ(inputs.at("x").layout(), x.layout());
  EXPECT_EQ(inputs.at("y").data(), transposed.data());
  EXPECT_EQ(inputs.at("y").layout(), transposed.layout());
  for (const auto& [name, input] : inputs) {
    EXPECT_TRUE(input.read_only()) << name;
    EXPECT_EQ(testing::code_thrown([&input = input] { input.mutable_data(); }), ErrorCode::invalid_tensor) << name;
  }
  EXPECT_TRUE(one.front()->call.inputs.empty());
  EXPECT_FALSE(x.read_only());
}

TEST_F(BatchTest, ElementsOfAnyLengthAreJoinedAndSplit) {
  const auto texts = [](std::vector<std::string_view> elements) {
    const auto rows = static_cast<std::int64_t>(elements.size());
    return pack_bytes(elements, {rows, 1});
  };
  const std::vector<RequestPtr> both{request({{"t", texts({"one", ""})}}), request({{"t", texts({"three"})}})};
  const TensorBuffer whole = joined_inputs(both).at("t");
  EXPECT_EQ(whole.shape(), (Dims{3, 1}));
  EXPECT_TRUE(whole.read_only());
  EXPECT_EQ(unpack_bytes(whole), (std::vector<std::string_view>{"one", "", "three"}));
  const std::vector<TensorMap> parts = split_outputs({{"u", whole}}, both);
  EXPECT_EQ(unpack_bytes(parts[0].at("u")), (std::vector<std::string_view>{"one", ""}));
  EXPECT_EQ(unpack_bytes(parts[1].at("u")), (std::vector<std::string_view>{"three"}));
}

TEST_F(BatchTest, LengthsThatAnotherProcessChangedMoveNoNeighboursElements) {
  SharedMemoryAllocator allocator;
  for (int twice = 0; twice < 2; ++twice) {
    const TensorBuffer theirs = pack_bytes(std::vector<std::string_view>{"ab"}, {1}).copy(allocator);
    const TensorBuffer good = pack_bytes(std::vector<std::string_view>{"cd"}, {1});
    *theirs.mutable_data() = std::byte{1};
    const std::vector<RequestPtr> both{request({{"t", theirs}}), request({{"t", good}})};
    EXPECT_EQ(testing::code_thrown([&] { joined_inputs(both); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(testing::code_thrown([&] { joined_inputs(std::vector{both[0]}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(unpack_bytes(joined_inputs(std::vector{both[1]}).at("t")), std::vector<std::string_view>{"cd"});
  }
}

TEST_F(BatchTest, WholeNumbersThatAnotherProcessMayChangeAreCopied) {
  SharedMemoryAllocator allocator;
  for (const auto& [dtype, is_copied] : {std::pair{DataType::float32, false},
                                         {DataType::uint8, false},
                                         {DataType::int64, true},
                                         {DataType::boolean, true}}) {
    const TensorBuffer x = TensorBuffer::allocate({1, 2}, dtype, allocator);
    ASSERT_EQ(x.storage(), StorageKind::shared_memory);
    EXPECT_EQ(is_copied_for_the_model(x), is_copied) << to_string(dtype);
    EXPECT_FALSE(is_copied_for_the_model(x.copy())) << to_string(dtype);
    const std::vector<RequestPtr> one{request({{"x", x}})};
    const TensorBuffer input = joined_inputs(one).at("x");
    EXPECT_EQ(input.data() != x.data(), is_copied) << to_string(dtype);
    EXPECT_EQ(input.to_bytes(), x.to_bytes()) << to_string(dtype);
    EXPECT_TRUE(input.read_only()) << to_string(dtype);
  }
}

TEST_F(BatchTest, OneMayHaveInputsOfAnyKind) {
  const std::vector<RequestPtr> one{
      request({{"scalar", floats({1}).select(0, 0)}, {"none", floats({1, 0}).select(0, 0)}}, 1)};
  const TensorMap inputs = joined_inputs(one);
  EXPECT_EQ(inputs.at("scalar").shape(), Dims{});
  EXPECT_EQ(inputs.at("none").shape(), Dims{0});
}

TEST_F(BatchTest, TheInputsOfSeveralAreOneAfterTheOther) {
  const std::vector<RequestPtr> three{
      request({{"x", floats({1, 2}, 10)}, {"y", floats({1}, 1)}}),
      request({{"x", floats({3, 2}, 20)}, {"y", floats({3}, 2)}}),
      request({{"x", floats({2, 2}, 30)}, {"y", floats({2}, 5)}}),
  };
  const TensorMap inputs = joined_inputs(three);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs.at("x").shape(), (Dims{6, 2}));
  EXPECT_EQ(values(inputs.at("x")), (Floats{10, 11, 20, 21, 22, 23, 24, 25, 30, 31, 32, 33}));
  EXPECT_EQ(values(inputs.at("y")), (Floats{1, 2, 3, 4, 5, 6}));
  for (const auto& [name, input] : inputs) {
    EXPECT_TRUE(input.read_only()) << name;
    EXPECT_TRUE(input.is_contiguous()) << name;
  }
}

TEST_F(BatchTest, JoinedInputsAreACopy) {
  const TensorBuffer x = floats({1});
  const std::vector<RequestPtr> two{request({{"x", x}}), request({{"x", x}})};
  const TensorMap inputs = joined_inputs(two);
  x.span<float>()[0] = 9;
  EXPECT_EQ(values(inputs.at("x")), (Floats{0, 0}));
}

TEST_F(BatchTest, KeepsTheDataType) {
  const auto of = [](std::uint8_t number) {
    const TensorBuffer tensor = TensorBuffer::allocate({1}, DataType::uint8);
    tensor.span<std::uint8_t>()[0] = number;
    return tensor;
  };
  const std::vector<RequestPtr> two{request({{"x", of(200)}}), request({{"x", of(7)}})};
  const TensorBuffer x = joined_inputs(two).at("x");
  EXPECT_EQ(x.dtype(), DataType::uint8);
  EXPECT_EQ(x.to_bytes(), (std::vector<std::byte>{std::byte{200}, std::byte{7}}));
}

TEST_F(BatchTest, JoinsWhateverTheStrides) {
  const TensorBuffer wide = floats({4, 6});
  const std::vector<RequestPtr> several{
      request({{"x", floats({3, 2}).transpose()}}),                                    // 0 2 4, 1 3 5
      request({{"x", wide.slice(0, {.begin = 1, .end = 3}).slice(1, {.step = 2})}}),   // 6 8 10, 12 14 16
      request({{"x", floats({2, 3}).slice(0, {.step = -1}).slice(1, {.step = -1})}}),  // 5 4 3, 2 1 0
      request({{"x", floats({1, 1}, 7).broadcast_to({1, 3})}}),                        // 7 7 7
      request({{"x", floats({3}, 1).as_read_only().expand_dims(0)}}),                  // 1 2 3
  };
  const TensorBuffer x = joined_inputs(several).at("x");
  EXPECT_EQ(x.shape(), (Dims{8, 3}));
  EXPECT_EQ(values(x), (Floats{0, 2, 4, 1, 3, 5, 6, 8, 10, 12, 14, 16, 5, 4, 3, 2, 1, 0, 7, 7, 7, 1, 2, 3}));
}

TEST_F(BatchTest, RowsMayBeWithoutElements) {
  const std::vector<RequestPtr> two{request({{"x", floats({1, 0})}}), request({{"x", floats({2, 0})}})};
  EXPECT_EQ(joined_inputs(two).at("x").shape(), (Dims{3, 0}));
}

TEST_F(BatchTest, ThereMayBeNoInputs) {
  const std::vector<RequestPtr> two{request({}), request({})};
  EXPECT_TRUE(joined_inputs(two).empty());
}

TEST_F(BatchTest, EachGetsItsRowsWhichShareTheMemoryOfAll) {
  const std::vector<RequestPtr> three{request_of(1), request_of(3), request_of(2)};
  const TensorMap outputs{{"y", floats({6, 2})}, {"z", floats({6}, 10)}};
  const std::vector<TensorMap> parts = split_outputs(outputs, three);
  ASSERT_EQ(parts.size(), 3U);
  for (const TensorMap& part : parts) ASSERT_EQ(part.size(), 2U);
  EXPECT_EQ(parts[0].at("y").shape(), (Dims{1, 2}));
  EXPECT_EQ(parts[1].at("y").shape(), (Dims{3, 2}));
  EXPECT_EQ(parts[2].at("y").shape(), (Dims{2, 2}));
  EXPECT_EQ(values(parts[0].at("y")), (Floats{0, 1}));
  EXPECT_EQ(values(parts[1].at("y")), (Floats{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(values(parts[2].at("y")), (Floats{8, 9, 10, 11}));
  EXPECT_EQ(values(parts[0].at("z")), (Floats{10}));
  EXPECT_EQ(values(parts[1].at("z")), (Floats{11, 12, 13}));
  EXPECT_EQ(values(parts[2].at("z")), (Floats{14, 15}));
  outputs.at("z").span<float>()[4] = 99;
  EXPECT_EQ(values(parts[2].at("z")), (Floats{99, 15}));
}

TEST_F(BatchTest, SplitsWhateverTheStrides) {
  const std::vector<RequestPtr> two{request_of(1), request_of(2)};
  const std::vector<TensorMap> parts = split_outputs({{"y", floats({2, 3}).transpose()}}, two);
  EXPECT_EQ(values(parts[0].at("y")), (Floats{0, 3}));
  EXPECT_EQ(values(parts[1].at("y")), (Floats{1, 4, 2, 5}));
}

TEST_F(BatchTest, OneGetsAllAsItIs) {
  const std::vector<RequestPtr> one{request_of(3)};
  const TensorMap outputs{{"y", floats({7})}, {"z", floats({1}).select(0, 0)}};
  const std::vector<TensorMap> parts = split_outputs(outputs, one);
  ASSERT_EQ(parts.size(), 1U);
  ASSERT_EQ(parts[0].size(), 2U);
  EXPECT_EQ(parts[0].at("y").data(), outputs.at("y").data());
  EXPECT_EQ(parts[0].at("y").layout(), outputs.at("y").layout());
  EXPECT_EQ(parts[0].at("z").shape(), Dims{});
}

TEST_F(BatchTest, WithoutOutputsEachStillGetsItsPart) {
  const std::vector<RequestPtr> two{request_of(1), request_of(2)};
  EXPECT_EQ(split_outputs({}, two).size(), 2U);
}

TEST_F(BatchTest, SplittingUndoesJoining) {
  std::vector<RequestPtr> requests;
  for (const std::int64_t rows : {2, 1, 5, 1}) {
    requests.push_back(request({{"x", floats({rows, 3}, static_cast<float>(100 * rows))}}));
  }
  const std::vector<TensorMap> parts = split_outputs(joined_inputs(requests), requests);
  ASSERT_EQ(parts.size(), requests.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(values(parts[i].at("x")), values(requests[i]->call.inputs.at("x"))) << i;
  }
}

}  // namespace
}  // namespace remotemedia::detail
