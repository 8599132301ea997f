// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/peer_watch.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::now;
using testing::soon;

const testing::PeerRole kStay("stay until told", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message message;
  parent.receive(message, soon());
  return 0;
});

TEST(PeerWatchTest, APeerThatLivesHasNotEnded) {
  const testing::ConnectedPeer peer("stay until told");
  const PeerWatch watch = PeerWatch::of(peer.channel);
  EXPECT_FALSE(watch.wait(now()));
  EXPECT_FALSE(watch.wait(later(monotonic_clock().now(), std::chrono::milliseconds{5})));
  EXPECT_TRUE(wait_for_any(std::array{watch.wait_handle()}, now()).empty());
}

TEST(PeerWatchTest, AKilledPeerHasEndedForGood) {
  testing::ConnectedPeer peer("stay until told");
  const PeerWatch watch = PeerWatch::of(peer.channel);
  peer.process.kill();
  EXPECT_TRUE(watch.wait(soon()));
  EXPECT_TRUE(watch.wait(now()));
  peer.process.wait();
  EXPECT_TRUE(watch.wait(now()));
  EXPECT_EQ(wait_for_any(std::array{watch.wait_handle()}, now()), std::vector<std::size_t>{0});
}

TEST(PeerWatchTest, APeerThatLeavesHasEnded) {
  testing::ConnectedPeer peer("stay until told");
  const PeerWatch watch = PeerWatch::of(peer.channel);
  testing::say(peer.channel, "go");
  EXPECT_TRUE(watch.wait(soon()));
  EXPECT_EQ(peer.process.wait(), 0);
}

TEST(PeerWatchTest, AllWhoWatchAreTold) {
  testing::ConnectedPeer peer("stay until told");
  const PeerWatch one = PeerWatch::of(peer.channel);
  const PeerWatch other = PeerWatch::of(peer.channel);
  std::jthread first([&] { EXPECT_TRUE(one.wait(TimePoint::max())); });
  std::jthread second([&] { EXPECT_TRUE(one.wait(TimePoint::max())); });
  peer.process.kill();
  EXPECT_TRUE(other.wait(soon()));
}

TEST(PeerWatchTest, APeerThatHasEndedCannotBeWatched) {
  testing::ConnectedPeer peer("stay until told");
  peer.process.kill();
  peer.process.wait();
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(testing::code_thrown([&] { PeerWatch::of(peer.channel); }), ErrorCode::worker_unavailable);
  }
}

TEST(PeerWatchTest, AWatchGoesOnWithoutItsChannel) {
  testing::ConnectedPeer peer("stay until told");
  PeerWatch watch = PeerWatch::of(peer.channel);
  const PeerWatch moved = std::move(watch);
  peer.channel = DescriptorChannel();
  EXPECT_TRUE(moved.wait(soon()));
}

}  // namespace
}  // namespace remotemedia::platform
