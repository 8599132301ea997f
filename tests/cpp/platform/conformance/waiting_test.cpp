// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/waiting.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/peer_watch.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using Indices = std::vector<std::size_t>;
using testing::now;
using testing::soon;

TEST(WaitingTest, NamesWhatIsReady) {
  std::array<Doorbell, 4> bells{Doorbell::create(), Doorbell::create(), Doorbell::create(), Doorbell::create()};
  std::array<NativeHandle, 4> handles{};
  for (std::size_t i = 0; i < bells.size(); ++i) handles.at(i) = bells.at(i).wait_handle();
  EXPECT_EQ(wait_for_any(handles, now()), Indices{});
  bells[2].ring();
  EXPECT_EQ(wait_for_any(handles, TimePoint::max()), Indices{2});
  bells[0].ring();
  EXPECT_EQ(wait_for_any(handles, soon()), (Indices{0, 2}));
  EXPECT_TRUE(bells[2].wait(now()));
  EXPECT_EQ(wait_for_any(handles, now()), Indices{0});
}

TEST(WaitingTest, EndsAtTheDeadline) {
  Doorbell bell = Doorbell::create();
  const TimePoint deadline = later(monotonic_clock().now(), std::chrono::milliseconds{5});
  EXPECT_EQ(wait_for_any(std::array{bell.wait_handle()}, deadline), Indices{});
  EXPECT_GE(monotonic_clock().now(), deadline);
}

TEST(WaitingTest, NothingToWaitForEndsAtTheDeadlineToo) { EXPECT_EQ(wait_for_any({}, now()), Indices{}); }

TEST(WaitingTest, AHandleThatNamesNothingIsRefused) {
  Doorbell bell = Doorbell::create();
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(testing::code_thrown([&] {
                wait_for_any(std::array{bell.wait_handle(), kNoHandle}, soon());
              }),
              ErrorCode::invalid_argument);
  }
}

TEST(WaitingTest, AChannelIsReadyForAMessageAndForTheEnd) {
  auto [one, other] = DescriptorChannel::pair();
  const std::array handles{other.wait_handle()};
  EXPECT_EQ(wait_for_any(handles, now()), Indices{});
  testing::say(one, "first");
  testing::say(one, "second");
  EXPECT_EQ(wait_for_any(handles, soon()), Indices{0});
  testing::expect_message(other, "first");
  EXPECT_EQ(wait_for_any(handles, soon()), Indices{0});
  testing::expect_message(other, "second");
  EXPECT_EQ(wait_for_any(handles, now()), Indices{});
  one = DescriptorChannel();
  for (int times = 0; times < 2; ++times) EXPECT_EQ(wait_for_any(handles, soon()), Indices{0});
}

const testing::PeerRole kWaitForTheEnd("wait for the end", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message message;
  parent.receive(message, soon());
  return 0;
});

TEST(WaitingTest, AKilledPeerIsSeenByItsChannelAndItsWatch) {
  testing::ConnectedPeer peer("wait for the end");
  Doorbell silent = Doorbell::create();
  const PeerWatch watch = PeerWatch::of(peer.channel);
  const std::array handles{silent.wait_handle(), peer.channel.wait_handle(), watch.wait_handle()};
  EXPECT_EQ(wait_for_any(handles, now()), Indices{});
  peer.process.kill();
  EXPECT_FALSE(wait_for_any(handles, TimePoint::max()).empty());
  EXPECT_TRUE(watch.wait(soon()));
  Message message;
  EXPECT_EQ(peer.channel.receive(message, soon()), DescriptorChannel::Received::closed);
  EXPECT_EQ(wait_for_any(handles, soon()), (Indices{1, 2}));
}

TEST(WaitingTest, ARingOfAnotherThreadEndsTheWait) {
  Doorbell bell = Doorbell::create();
  auto [one, other] = DescriptorChannel::pair();
  std::jthread waiter([&, &other = other] {
    EXPECT_EQ(wait_for_any(std::array{other.wait_handle(), bell.wait_handle()}, TimePoint::max()), Indices{1});
  });
  bell.ring();
}

}  // namespace
}  // namespace remotemedia::platform
