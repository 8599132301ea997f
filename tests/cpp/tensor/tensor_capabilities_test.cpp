// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_capabilities.h"

#include <gtest/gtest.h>

namespace remotemedia {
namespace {

TEST(TensorCapabilitiesTest, WhatIsMissingHasAReason) {
  for (int time = 0; time < 2; ++time) {
    const TensorCapabilities found = TensorCapabilities::detect();
    EXPECT_EQ(found.shared_memory, found.shared_memory_reason.empty());
    EXPECT_EQ(found.cuda, found.cuda_reason.empty());
    EXPECT_TRUE(found.dlpack);
  }
}

TEST(TensorCapabilitiesTest, WithoutSharedMemoryNothingOfItIsThere) {
  const TensorCapabilities found = TensorCapabilities::detect();
  if (!found.shared_memory) {
    EXPECT_FALSE(found.seals);
    EXPECT_FALSE(found.huge_pages);
  }
}

}  // namespace
}  // namespace remotemedia
