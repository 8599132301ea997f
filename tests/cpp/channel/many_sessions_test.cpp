// SPDX-License-Identifier: Apache-2.0
//
// Many clients at once, and many one after the other.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "channel/served_channel.h"
#include "channel/session_resources.h"
#include "testing/rounds.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::Doubler;
using testing::filled;
using testing::ServedChannel;
using testing::SessionResources;

TEST(ManySessionsTest, ManyClientsAreServedAtOnce) {
  ServedChannel served(std::make_shared<Doubler>(16));
  const std::size_t clients = testing::slow_rounds(200);
  std::atomic<std::size_t> right{0};
  testing::together(clients, [&](std::size_t i) {
    std::array<std::byte, 16> id{};
    id.fill(std::byte{1});
    id[0] = static_cast<std::byte>(i % 256);
    const auto client = detail::unix_scheme().connect(served.endpoint(), id, {}, testing::soon());
    for (int call = 0; call < 100; ++call) {
      const std::int64_t size = call % 3 == 0 ? 3000 : 20;
      const auto value = static_cast<float>(1000 * i + static_cast<std::size_t>(call));
      const detail::Answer answer =
          testing::infer(*client, {{"x", filled(TensorBuffer::allocate({1, size}, DataType::float32), value)}});
      if (answer.error != nullptr) continue;
      const std::span<const float> y = answer.outputs.at("y").span<const float>();
      right += y.front() == 2 * value && y.back() == 2 * value ? 1 : 0;
    }
  });
  EXPECT_EQ(right, clients * 100);
}

TEST(ManySessionsTest, ComingAndGoingLeavesNothing) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto live = [&](std::uint64_t i) {
    const auto client = served.connect(static_cast<std::byte>(1 + i % 200));
    if (i % 4 == 0) return;
    const std::int64_t size = i % 4 == 1 ? 10 : 5000;
    const detail::Answer answer =
        testing::infer(*client, {{"x", filled(TensorBuffer::allocate({size}, DataType::float32), 2)}});
    ASSERT_EQ(answer.error, nullptr);
    ASSERT_EQ(answer.outputs.at("y").span<const float>().back(), 4);
  };
  for (std::uint64_t i = 0; i < 8; ++i) live(i);
  const SessionResources held = SessionResources::settled();
  const std::uint64_t asked = testing::slow_rounds(2000);
  for (std::uint64_t i = 0; i < asked; ++i) {
    live(i);
    if (i % 100 == 0) {
      ASSERT_TRUE(held.come_back()) << held << "\n now" << SessionResources::now();
    }
    testing::tell_progress(i + 1, asked);
  }
  EXPECT_TRUE(held.come_back()) << held << "\n now" << SessionResources::now();
}

}  // namespace
}  // namespace remotemedia
