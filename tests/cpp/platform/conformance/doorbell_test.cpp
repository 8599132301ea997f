// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/doorbell.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::code_thrown;
using testing::now;
using testing::soon;

TEST(DoorbellTest, IsSilentUntilItIsRung) {
  Doorbell bell = Doorbell::create();
  EXPECT_FALSE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(later(monotonic_clock().now(), std::chrono::milliseconds{5})));
  bell.ring();
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
}

TEST(DoorbellTest, AHundredThousandRingsThatNobodyHearsAreOneAndNeverWait) {
  Doorbell bell = Doorbell::create();
  for (int i = 0; i < 100'000; ++i) bell.ring();
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
  bell.ring();
  EXPECT_TRUE(bell.wait(now()));
}

TEST(DoorbellTest, WakesWhoWaits) {
  Doorbell bell = Doorbell::create();
  std::jthread waiter([&] { EXPECT_TRUE(bell.wait(TimePoint::max())); });
  bell.ring();
}

TEST(DoorbellTest, ARingIsReadyUntilItIsTaken) {
  Doorbell bell = Doorbell::create();
  EXPECT_TRUE(wait_for_any(std::array{bell.wait_handle()}, now()).empty());
  bell.ring();
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(wait_for_any(std::array{bell.wait_handle()}, now()), std::vector<std::size_t>{0});
  }
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_TRUE(wait_for_any(std::array{bell.wait_handle()}, now()).empty());
}

TEST(DoorbellTest, ACopyIsTheSameBell) {
  Doorbell bell = Doorbell::create();
  Doorbell copy = Doorbell::adopt(bell.duplicate());
  copy.ring();
  EXPECT_TRUE(bell.wait(soon()));
  bell.ring();
  EXPECT_TRUE(copy.wait(soon()));
  EXPECT_FALSE(bell.wait(now()));
  { const Doorbell gone = std::move(bell); }
  copy.ring();
  EXPECT_TRUE(copy.wait(now()));
}

TEST(DoorbellTest, NoRingIsLostBetweenTwoThreads) {
  Doorbell there = Doorbell::create();
  Doorbell back = Doorbell::create();
  constexpr int kRounds = 10'000;
  std::jthread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(there.wait(soon()));
      back.ring();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    there.ring();
    ASSERT_TRUE(back.wait(soon()));
  }
}

TEST(DoorbellTest, SomethingElseThanADoorbellIsRefused) {
  EXPECT_EQ(code_thrown([] { Doorbell::adopt(OwnedHandle()); }), ErrorCode::protocol_error);
  const SharedMemory memory = SharedMemory::create(1);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { Doorbell::adopt(memory.handle_for(Access::read_write)); }), ErrorCode::protocol_error);
  }
}

TEST(DoorbellTest, OneThatIsNoneIsFalse) {
  EXPECT_FALSE(Doorbell());
  EXPECT_TRUE(Doorbell::create());
}

constexpr int kRings = 1000;

const testing::PeerRole kRingBack("ring back", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message message = testing::expect_message(parent, "bells");
  Doorbell there = Doorbell::adopt(std::move(message.handles.at(0)));
  Doorbell back = Doorbell::adopt(std::move(message.handles.at(1)));
  for (int i = 0; i < kRings; ++i) {
    if (!there.wait(soon())) return 4;
    back.ring();
  }
  return 0;
});

TEST(DoorbellTest, NoRingIsLostBetweenTwoProcesses) {
  testing::ConnectedPeer peer("ring back");
  Doorbell there = Doorbell::create();
  Doorbell back = Doorbell::create();
  const OwnedHandle one = there.duplicate();
  const OwnedHandle other = back.duplicate();
  testing::say(peer.channel, "bells", std::array{one.get(), other.get()});
  for (int i = 0; i < kRings; ++i) {
    there.ring();
    ASSERT_TRUE(back.wait(soon()));
  }
  EXPECT_EQ(peer.process.wait(), 0);
}

TEST(DoorbellTest, IsStillRungWhenItsOtherHolderWasKilled) {
  testing::ConnectedPeer peer("ring back");
  Doorbell bell = Doorbell::create();
  const OwnedHandle handle = bell.duplicate();
  testing::say(peer.channel, "bells", std::array{handle.get(), handle.get()});
  peer.process.kill();
  peer.process.wait();
  bell.wait(now());
  for (int i = 0; i < 1000; ++i) bell.ring();
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
}

}  // namespace
}  // namespace remotemedia::platform
