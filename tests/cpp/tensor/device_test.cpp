// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/device.h"

#include <gtest/gtest.h>

namespace remotemedia {
namespace {

TEST(DeviceTest, IsWrittenAsTorchDoes) {
  EXPECT_EQ(to_string(Device{}), "cpu");
  EXPECT_EQ(to_string(Device{DeviceType::cuda, 0}), "cuda:0");
  EXPECT_EQ(to_string(Device{DeviceType::rocm, 3}), "rocm:3");
}

TEST(DeviceTest, WhatWasWrittenIsReadAgain) {
  for (std::int32_t number = 0; number < 32; ++number) {
    const Device device{static_cast<DeviceType>(number), 2};
    if (to_string(device.type).empty()) continue;
    EXPECT_EQ(device_from_text(to_string(device)), device) << number;
  }
  EXPECT_EQ(device_from_text("cpu"), Device{});
  EXPECT_EQ(device_from_text("cuda"), (Device{DeviceType::cuda, 0}));
  EXPECT_EQ(device_from_text("mps"), (Device{DeviceType::metal, 0}));
}

TEST(DeviceTest, OtherTextsAreNone) {
  for (const char* text : {"", ":", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda: 1", "cuda:99999999999", "CUDA:0"}) {
    EXPECT_EQ(device_from_text(text), std::nullopt) << text;
  }
}

TEST(DeviceTest, TheProcessorReadsPinnedAndManagedMemory) {
  EXPECT_TRUE(is_host(DeviceType::cpu));
  EXPECT_TRUE(is_host(DeviceType::cuda_host));
  EXPECT_TRUE(is_host(DeviceType::cuda_managed));
  EXPECT_FALSE(is_host(DeviceType::cuda));
  EXPECT_FALSE(is_host(DeviceType::metal));
}

}  // namespace
}  // namespace remotemedia
