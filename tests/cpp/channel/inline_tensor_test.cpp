// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/inline_tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

constexpr std::uint32_t kFlags = 4;

TensorBuffer counted(const Dims& shape, DataType dtype) {
  TensorBuffer tensor = TensorBuffer::allocate(shape, dtype);
  const std::span bytes(tensor.mutable_data(), tensor.nbytes());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i + 1);
  return tensor;
}

TensorDescriptor described(const TensorBuffer& tensor) {
  TensorDescriptor descriptor = describe_inline(tensor);
  descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::result);
  descriptor.flags = kFlags;
  return descriptor;
}

TEST(InlineTensorTest, IsReadAsItWasDescribed) {
  for (const Dims& shape : {Dims{}, Dims{0}, Dims{8}, Dims{2, 4}, Dims{3, 0, 5}, Dims{1, 1, 2, 1, 2, 1, 2, 1}}) {
    for (const DataType dtype : {DataType::uint8, DataType::float16, DataType::int32, DataType::float64}) {
      const TensorBuffer tensor = counted(shape, dtype);
      ASSERT_TRUE(fits_inline(tensor)) << to_string(shape);
      const TensorBuffer read = read_inline(described(tensor), kFlags);
      EXPECT_EQ(read.layout(), tensor.layout()) << to_string(shape);
      EXPECT_EQ(read.to_bytes(), tensor.to_bytes()) << to_string(shape);
      EXPECT_TRUE(read.read_only());
      EXPECT_EQ(read.storage(), StorageKind::heap);
    }
  }
}

TEST(InlineTensorTest, LargeOnesAndThoseWithGapsOrManyAxesDoNotFit) {
  EXPECT_TRUE(fits_inline(counted({64}, DataType::uint8)));
  EXPECT_FALSE(fits_inline(counted({65}, DataType::uint8)));
  EXPECT_FALSE(fits_inline(counted({1, 1, 1, 1, 1, 1, 1, 1, 1}, DataType::uint8)));
  EXPECT_FALSE(fits_inline(counted({4, 4}, DataType::uint8).transpose()));
}

TEST(InlineTensorTest, WhatIsNoTensorIsRefused) {
  const std::vector<std::function<void(TensorDescriptor&)>> lies = {
      [](TensorDescriptor& d) { d.segment = 1; },
      [](TensorDescriptor& d) { d.generation = 1; },
      [](TensorDescriptor& d) { d.slot_offset = 4096; },
      [](TensorDescriptor& d) { d.data_offset = 4; },
      [](TensorDescriptor& d) { d.flags |= 1; },
      [](TensorDescriptor& d) { d.ndim = 9; },
      [](TensorDescriptor& d) { d.ndim = 255; },
      [](TensorDescriptor& d) { d.dtype_bits = 31; },
      [](TensorDescriptor& d) { d.nbytes = 31; },
      [](TensorDescriptor& d) { d.nbytes = 65; },
      [](TensorDescriptor& d) { d.nbytes = ~std::uint64_t{0}; },
      [](TensorDescriptor& d) { d.shape[0] = 17; },
      [](TensorDescriptor& d) { d.shape[0] = -1; },
      [](TensorDescriptor& d) { d.shape[0] = std::numeric_limits<std::int64_t>::max(); },
      [](TensorDescriptor& d) { d.shape[2] = 1; },
      [](TensorDescriptor& d) {
        d.ndim = 3, d.shape = {std::int64_t{1} << 32, std::int64_t{1} << 32, 0};
      },
      [](TensorDescriptor& d) {
        d.ndim = 3, d.shape = {0, std::int64_t{1} << 32, std::int64_t{1} << 32};
      },
  };
  for (const auto& lie : lies) {
    TensorDescriptor descriptor = described(counted({2, 4}, DataType::float32));
    EXPECT_NO_THROW(read_inline(descriptor, kFlags));
    lie(descriptor);
    EXPECT_EQ(testing::code_thrown([&] { read_inline(descriptor, kFlags); }), ErrorCode::protocol_error)
        << (&lie - lies.data());
  }
}

}  // namespace
}  // namespace remotemedia::detail
