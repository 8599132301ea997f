// SPDX-License-Identifier: Apache-2.0
//
// A bell that another holder does everything to.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "testing/held_resources.h"

namespace remotemedia::platform {
namespace {

using testing::HeldResources;
using testing::now;
using testing::soon;

constexpr std::uint64_t kFull = ~std::uint64_t{0} - 1;

void set_blocking(NativeHandle bell, bool blocking) {
  const int flags = fcntl(static_cast<int>(bell), F_GETFL);
  ASSERT_NE(flags, -1);
  ASSERT_EQ(fcntl(static_cast<int>(bell), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

/// So that a write() waits.
void block(NativeHandle bell) {
  set_blocking(bell, false);
  std::uint64_t rings = 0;
  const ssize_t had = read(static_cast<int>(bell), &rings, sizeof rings);
  ASSERT_TRUE(had == sizeof rings || errno == EAGAIN);
  const ssize_t written = write(static_cast<int>(bell), &kFull, sizeof kFull);
  ASSERT_TRUE(written == sizeof kFull || errno == EAGAIN) << "somebody has rung meanwhile";
  set_blocking(bell, true);
}

/// Whether `ring` returns. If it does not, it is freed by taking what is in the bell.
bool returns(Doorbell& bell, const std::function<void()>& ring) {
  const std::future<void> done = std::async(std::launch::async, ring);
  if (done.wait_for(std::chrono::seconds{30}) == std::future_status::ready) return true;
  while (done.wait_for(std::chrono::seconds{0}) != std::future_status::ready) bell.wait(now());
  return false;
}

/// Blocks the bell that it is sent, again and again, until it is told to end. Tells when it has done so first.
const testing::PeerRole kBlockTheBell("block the bell", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  const Message message = testing::expect_message(parent, "bell");
  const NativeHandle bell = message.handles.at(0).get();
  block(bell);
  testing::say(parent, "blocked");
  Message end;
  while (parent.receive(end, now()) == DescriptorChannel::Received::nothing) block(bell);
  return 0;
});

TEST(SharedBellTest, RingingNeverWaitsWhateverAnotherHolderDoes) {
  testing::ConnectedPeer peer("block the bell");
  Doorbell bell = Doorbell::create();
  const OwnedHandle copy = bell.duplicate();
  testing::say(peer.channel, "bell", std::array{copy.get()});
  testing::expect_message(peer.channel, "blocked");
  ASSERT_TRUE(returns(bell, [&] {
    for (int i = 0; i < 100'000; ++i) bell.ring();
  }));
  testing::say(peer.channel, "end");
  EXPECT_EQ(peer.process.wait(), 0);
  bell.ring();
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
}

TEST(SharedBellTest, ThreadsMayRingABlockedBellTogether) {
  Doorbell bell = Doorbell::create();
  Doorbell other = Doorbell::adopt(bell.duplicate());
  block(bell.wait_handle());
  ASSERT_TRUE(returns(bell, [&] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) other.ring();
      });
    }
  }));
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
}

TEST(SharedBellTest, AForkedChildMayRingABlockedBellToo) {
  Doorbell bell = Doorbell::create();
  Doorbell other = Doorbell::adopt(bell.duplicate());
  block(bell.wait_handle());
  for (int times = 0; times < 2; ++times) {
    const pid_t child = fork();
    if (child == 0) {
      for (int i = 0; i < 1000; ++i) other.ring();
      _exit(0);
    }
    int status = 1;
    ASSERT_TRUE(returns(bell, [&] { waitpid(child, &status, 0); }));
    EXPECT_EQ(status, 0);
    ASSERT_TRUE(returns(bell, [&] { other.ring(); }));
  }
  EXPECT_TRUE(other.wait(now()));
}

TEST(SharedBellTest, OneThatIsABlockingOneDoesNotBlockItsWaiter) {
  Doorbell bell = Doorbell::create();
  set_blocking(bell.wait_handle(), true);
  EXPECT_FALSE(bell.wait(now()));
  bell.ring();
  EXPECT_TRUE(bell.wait(now()));
}

TEST(SharedBellTest, OneThatHasBeenRungToTheEndIsStillRung) {
  Doorbell bell = Doorbell::create();
  ASSERT_EQ(write(static_cast<int>(bell.wait_handle()), &kFull, sizeof kFull), static_cast<ssize_t>(sizeof kFull));
  for (int times = 0; times < 3; ++times) bell.ring();
  EXPECT_TRUE(bell.wait(now()));
  EXPECT_FALSE(bell.wait(now()));
}

TEST(SharedBellTest, NothingIsLeftOfThem) {
  const HeldResources before = HeldResources::now();
  for (int times = 0; times < 3; ++times) {
    Doorbell bell = Doorbell::create();
    Doorbell other = Doorbell::adopt(bell.duplicate());
    other.ring();
    EXPECT_TRUE(bell.wait(soon()));
  }
  EXPECT_EQ(HeldResources::now(), before);
}

}  // namespace
}  // namespace remotemedia::platform
