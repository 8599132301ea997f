// SPDX-License-Identifier: Apache-2.0
//
// main() of a test program whose tests start peers of it.

#include <gtest/gtest.h>

#include "platform/conformance/peer_process.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (const std::optional<int> exit_code = remotemedia::testing::play_role(argc, argv)) return *exit_code;
  return RUN_ALL_TESTS();
}
