// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <set>
#include <vector>

#include "platform/conformance/connected_peer.h"

namespace remotemedia::platform {
namespace {

TEST(MachineTest, APageIsAPowerOfTwo) {
  EXPECT_TRUE(std::has_single_bit(page_bytes()));
  EXPECT_GE(page_bytes(), 4096U);
}

TEST(MachineTest, MemoryIsAvailable) {
  const std::optional<std::size_t> available = available_memory();
  if (!available) GTEST_SKIP() << "this system does not say what memory is available";
  EXPECT_GT(*available, std::size_t{1} << 20);
}

const testing::PeerRole kSayWho("say who", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  testing::say(parent, std::to_string(process_id()));
  return 0;
});

TEST(MachineTest, EveryProcessHasItsOwnNumber) {
  testing::ConnectedPeer peer("say who");
  testing::expect_message(peer.channel, std::to_string(peer.process.id()));
  EXPECT_NE(peer.process.id(), process_id());
  EXPECT_EQ(process_id(), process_id());
}

TEST(MachineTest, RandomBytesDifferAndAreAllFilled) {
  std::set<std::vector<std::byte>> seen;
  for (int i = 0; i < 100; ++i) {
    std::vector<std::byte> bytes(32);
    random_bytes(bytes);
    EXPECT_TRUE(seen.insert(bytes).second);
  }
  std::vector<std::byte> many(10'000);
  random_bytes(many);
  constexpr std::size_t kPart = 100;  // zeros in all of it: once in 2^800 times
  for (std::size_t at = 0; at < many.size(); at += kPart) {
    const auto begin = many.begin() + static_cast<std::ptrdiff_t>(at);
    EXPECT_TRUE(std::any_of(begin, begin + kPart, [](std::byte one) { return one != std::byte{0}; }));
  }
  random_bytes({});
}

TEST(MachineTest, TheRunDirectoryIsThere) {
  const std::filesystem::path folder = run_directory();
  EXPECT_TRUE(std::filesystem::is_directory(folder));
  EXPECT_TRUE(folder.is_absolute());
  EXPECT_EQ(run_directory(), folder);
}

TEST(MachineTest, SharedMemoryIsSupported) {
  const SharedMemorySupport support = probe_shared_memory();
  EXPECT_TRUE(support.available) << support.reason;
  EXPECT_EQ(support.reason, "");
}

}  // namespace
}  // namespace remotemedia::platform
