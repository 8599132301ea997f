// SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::AddressFolder;
using testing::code_thrown;
using testing::expect_message;
using testing::now;
using testing::say;
using testing::soon;

/// Somebody at `listener` hears who calls `address`, and answers.
void expect_alive(ChannelListener& listener, const std::filesystem::path& address) {
  DescriptorChannel caller = DescriptorChannel::connect(address, soon());
  std::optional<DescriptorChannel> called = listener.accept(soon());
  ASSERT_TRUE(called);
  say(caller, "hello");
  expect_message(*called, "hello");
  say(*called, "hello to you");
  expect_message(caller, "hello to you");
}

TEST(ChannelListenerTest, BothSidesOfAChannelSpeak) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  for (int times = 0; times < 3; ++times) expect_alive(listener, folder / "a");
}

TEST(ChannelListenerTest, WhereNobodyListensNobodyIsReached) {
  const AddressFolder folder;
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(folder / "a", soon()); }),
              ErrorCode::shared_memory_unavailable);
  }
}

TEST(ChannelListenerTest, NobodyCallsUntilTheDeadline) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  EXPECT_FALSE(listener.accept(now()));
  EXPECT_FALSE(listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{5})));
  expect_alive(listener, folder / "a");
}

TEST(ChannelListenerTest, CallersWaitTheirTurn) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  std::vector<PeerIdentity> callers;
  std::vector<testing::PeerProcess> peers;
  constexpr std::size_t kCallers = 4;
  for (std::size_t i = 0; i < kCallers; ++i) {
    peers.emplace_back("call", std::vector<std::string>{(folder / "a").string(), std::to_string(i)});
  }
  std::array<bool, kCallers> heard{};
  for (std::size_t i = 0; i < kCallers; ++i) {
    std::optional<DescriptorChannel> channel = listener.accept(soon());
    ASSERT_TRUE(channel);
    Message message;
    ASSERT_EQ(channel->receive(message, soon()), DescriptorChannel::Received::message);
    heard.at(std::stoul(testing::text_of(message))) = true;
  }
  for (const bool one : heard) EXPECT_TRUE(one);
  for (testing::PeerProcess& peer : peers) EXPECT_EQ(peer.wait(), 0);
}

const testing::PeerRole kCall("call", [](const std::vector<std::string>& arguments) {
  DescriptorChannel channel = testing::connect_back(arguments);
  say(channel, arguments.at(1));
  Message message;
  return channel.receive(message, soon()) == DescriptorChannel::Received::closed ? 0 : 4;
});

TEST(ChannelListenerTest, ACallerMakesItReady) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  EXPECT_TRUE(wait_for_any(std::array{listener.wait_handle()}, now()).empty());
  const DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
  EXPECT_EQ(wait_for_any(std::array{listener.wait_handle()}, soon()), std::vector<std::size_t>{0});
  EXPECT_TRUE(listener.accept(soon()));
  EXPECT_TRUE(wait_for_any(std::array{listener.wait_handle()}, now()).empty());
}

TEST(ChannelListenerTest, ACallerThatHasLeftAgainIsNoHarm) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  DescriptorChannel::connect(folder / "a", soon());
  if (std::optional<DescriptorChannel> channel =
          listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{50}))) {
    Message message;
    EXPECT_EQ(channel->receive(message, soon()), DescriptorChannel::Received::closed);
  }
  expect_alive(listener, folder / "a");
}

TEST(ChannelListenerTest, AnAddressInUseIsRefusedAndItsUserNotDisturbed) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { ChannelListener::listen(folder / "a"); }), ErrorCode::shared_memory_unavailable);
  }
  EXPECT_FALSE(listener.accept(now()));
  expect_alive(listener, folder / "a");
}

TEST(ChannelListenerTest, AnAddressGoesWithItsListenerAndCanBeUsedAgain) {
  const AddressFolder folder;
  for (int times = 0; times < 3; ++times) {
    ChannelListener listener = ChannelListener::listen(folder / "a");
    expect_alive(listener, folder / "a");
    listener = ChannelListener();
    EXPECT_FALSE(listener);
    EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(folder / "a", soon()); }),
              ErrorCode::shared_memory_unavailable);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(ChannelListenerTest, AnAddressThatIsTooLongOrEmptyIsRefused) {
  const AddressFolder folder;
  for (const std::filesystem::path& address : {folder / std::string(5000, 'a'), std::filesystem::path()}) {
    EXPECT_EQ(code_thrown([&] { ChannelListener::listen(address); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(address, soon()); }), ErrorCode::invalid_argument);
  }
}

const testing::PeerRole kListen("listen", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  const ChannelListener listener = ChannelListener::listen(arguments.at(1));
  say(parent, "listening");
  expect_message(parent, "never said");
  return 0;
});

/// What a listener leaves that was killed.
void leave_dead(const std::filesystem::path& address) {
  testing::ConnectedPeer peer("listen", {address.string()});
  expect_message(peer.channel, "listening");
  peer.process.kill();
  peer.process.wait();
}

TEST(ChannelListenerTest, NobodyIsReachedWhoseListenerWasKilled) {
  const AddressFolder folder;
  leave_dead(folder / "a");
  EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(folder / "a", soon()); }),
            ErrorCode::shared_memory_unavailable);
}

TEST(ChannelListenerTest, TheAddressOfADeadListenerCanBeUsedAgain) {
  const AddressFolder folder;
  leave_dead(folder / "a");
  ChannelListener listener = ChannelListener::listen(folder / "a");
  expect_alive(listener, folder / "a");
}

TEST(ChannelListenerTest, DeadAddressesAreRemovedAndLiveOnesKept) {
  const AddressFolder folder;
  leave_dead(folder / "dead");
  leave_dead(folder / "dead too");
  ChannelListener listener = ChannelListener::listen(folder / "alive");
  remove_dead_addresses(folder.path());
  EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
  EXPECT_FALSE(listener.accept(now()));
  expect_alive(listener, folder / "alive");
  listener = ChannelListener();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ChannelListenerTest, NothingIsRemovedWhereThereIsNoFolder) {
  const AddressFolder folder;
  EXPECT_EQ(remove_dead_addresses(folder / "missing"), 0U);
  EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
}

}  // namespace
}  // namespace remotemedia::platform
