// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/descriptor_channel.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using Received = DescriptorChannel::Received;
using testing::code_thrown;
using testing::expect_message;
using testing::now;
using testing::say;
using testing::soon;

/// Bytes that say which message they are of and how long it is.
std::string message_number(int number, std::size_t size) {
  std::string text = std::to_string(number) + ":" + std::to_string(size) + ":";
  text.resize(size, static_cast<char>('a' + number % 26));
  return text;
}

/// Shared memory whose first byte is `mark`.
SharedMemory marked_memory(int mark) {
  SharedMemory memory = SharedMemory::create(1);
  *memory.map(Access::read_write).data() = static_cast<std::byte>(mark);
  return memory;
}

int mark_of(OwnedHandle handle) {
  const SharedMemory memory = SharedMemory::adopt(std::move(handle), 1, Access::read_write);
  return std::to_integer<int>(*memory.map(Access::read_only).data());
}

TEST(DescriptorChannelTest, MessagesStayWholeAndInOrder) {
  auto [one, other] = DescriptorChannel::pair();
  const std::array<std::size_t, 6> sizes{1, 2, 100, 4096, 20'000, 1};
  int number = 0;
  for (const std::size_t size : sizes) say(one, message_number(number++, size));
  number = 0;
  for (const std::size_t size : sizes) expect_message(other, message_number(number++, size));
}

TEST(DescriptorChannelTest, TheLargestMessageArrivesWholeWithAllHandles) {
  auto [one, other] = DescriptorChannel::pair();
  std::vector<OwnedHandle> sent;
  std::vector<NativeHandle> handles;
  for (std::size_t i = 0; i < kMaxMessageHandles; ++i) {
    sent.push_back(marked_memory(static_cast<int>(i)).handle_for(Access::read_write));
    handles.push_back(sent.back().get());
  }
  const std::string text = message_number(1, kMaxMessageBytes);
  for (int times = 0; times < 3; ++times) {
    std::jthread sender([&, &one = one] { say(one, text, handles); });
    Message message = expect_message(other, text);
    ASSERT_EQ(message.handles.size(), kMaxMessageHandles);
    for (std::size_t i = 0; i < kMaxMessageHandles; ++i) {
      EXPECT_EQ(mark_of(std::move(message.handles[i])), static_cast<int>(i));
    }
  }
}

TEST(DescriptorChannelTest, ASenderKeepsTheHandlesThatItSent) {
  auto [one, other] = DescriptorChannel::pair();
  const SharedMemory memory = marked_memory(7);
  OwnedHandle handle = memory.handle_for(Access::read_write);
  say(one, "take", std::array{handle.get()});
  EXPECT_EQ(mark_of(std::move(expect_message(other, "take").handles.at(0))), 7);
  EXPECT_EQ(mark_of(std::move(handle)), 7);
}

TEST(DescriptorChannelTest, WhatWasSentArrivesAlsoWhenItsSenderHasLetGo) {
  auto [one, other] = DescriptorChannel::pair();
  say(one, "take", std::array{marked_memory(8).handle_for(Access::read_write).get()});
  one = DescriptorChannel();
  EXPECT_EQ(mark_of(std::move(expect_message(other, "take").handles.at(0))), 8);
}

TEST(DescriptorChannelTest, AReceiverThatIsUsedAgainHoldsOnlyTheLastMessage) {
  auto [one, other] = DescriptorChannel::pair();
  const OwnedHandle handle = marked_memory(9).handle_for(Access::read_write);
  say(one, "first", std::array{handle.get(), handle.get()});
  say(one, "2");
  Message message;
  EXPECT_EQ(other.receive(message, soon()), Received::message);
  EXPECT_EQ(message.handles.size(), 2U);
  EXPECT_EQ(other.receive(message, soon()), Received::message);
  EXPECT_EQ(testing::text_of(message), "2");
  EXPECT_TRUE(message.handles.empty());
  EXPECT_EQ(other.receive(message, now()), Received::nothing);
  EXPECT_TRUE(message.bytes.empty());
}

TEST(DescriptorChannelTest, AMessageThatIsTooLargeOrEmptyIsRefusedAndTheChannelGoesOn) {
  auto [one, other] = DescriptorChannel::pair();
  const std::string text(kMaxMessageBytes + 1, 'x');
  const OwnedHandle handle = marked_memory(1).handle_for(Access::read_write);
  const std::vector<NativeHandle> handles(kMaxMessageHandles + 1, handle.get());
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&, &one = one] { one.send(testing::bytes_of(text), {}, soon()); }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&, &one = one] { one.send({}, {}, soon()); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&, &one = one] { one.send(testing::bytes_of("x"), handles, soon()); }),
              ErrorCode::invalid_argument);
  }
  say(one, "as before");
  expect_message(other, "as before");
}

TEST(DescriptorChannelTest, ASilentPeerIsNotAClosedOne) {
  auto [one, other] = DescriptorChannel::pair();
  Message message;
  EXPECT_EQ(other.receive(message, now()), Received::nothing);
  EXPECT_EQ(other.receive(message, later(monotonic_clock().now(), std::chrono::milliseconds{5})), Received::nothing);
  one = DescriptorChannel();
  for (int times = 0; times < 2; ++times) EXPECT_EQ(other.receive(message, now()), Received::closed);
  EXPECT_FALSE(other.send(testing::bytes_of("x"), {}, soon()));
  EXPECT_FALSE(other.send(testing::bytes_of("x"), {}, now()));
}

TEST(DescriptorChannelTest, AllThatAPeerSentIsReadBeforeTheEnd) {
  auto [one, other] = DescriptorChannel::pair();
  say(other, "which the other never reads");
  say(one, "first");
  say(one, "last", std::array{marked_memory(3).handle_for(Access::read_write).get()});
  one = DescriptorChannel();
  expect_message(other, "first");
  EXPECT_EQ(mark_of(std::move(expect_message(other, "last").handles.at(0))), 3);
  Message message;
  EXPECT_EQ(other.receive(message, soon()), Received::closed);
}

TEST(DescriptorChannelTest, ShuttingDownEndsBothDirectionsForBoth) {
  auto [one, other] = DescriptorChannel::pair();
  one.shut_down();
  one.shut_down();
  Message message;
  EXPECT_EQ(one.receive(message, soon()), Received::closed);
  EXPECT_EQ(other.receive(message, soon()), Received::closed);
  EXPECT_FALSE(one.send(testing::bytes_of("x"), {}, soon()));
  EXPECT_FALSE(other.send(testing::bytes_of("x"), {}, soon()));
}

TEST(DescriptorChannelTest, ShuttingDownWakesWhoReceives) {
  auto [one, other] = DescriptorChannel::pair();
  std::jthread receiver([&other = other] {
    Message message;
    EXPECT_EQ(other.receive(message, TimePoint::max()), Received::closed);
  });
  other.shut_down();
  receiver.join();
  std::jthread at_the_other_end([&one = one] {
    Message message;
    EXPECT_EQ(one.receive(message, TimePoint::max()), Received::closed);
  });
}

TEST(DescriptorChannelTest, AFullQueueTakesNothingUntilItIsRead) {
  auto [one, other] = DescriptorChannel::pair();
  int sent = 0;
  while (one.send(testing::bytes_of(message_number(sent, 10'000)), {}, now())) ++sent;
  EXPECT_GT(sent, 0);
  EXPECT_FALSE(one.send(testing::bytes_of("x"), {}, later(monotonic_clock().now(), std::chrono::milliseconds{5})));
  for (int i = 0; i < sent; ++i) expect_message(other, message_number(i, 10'000));
  Message message;
  EXPECT_EQ(other.receive(message, now()), Received::nothing);
  say(one, "as before");
  expect_message(other, "as before");
}

TEST(DescriptorChannelTest, AFullQueueWakesItsSenderWhenItIsRead) {
  auto [one, other] = DescriptorChannel::pair();
  constexpr int kMessages = 500;
  std::jthread sender([&one = one] {
    for (int i = 0; i < kMessages; ++i) say(one, message_number(i, 10'000));
  });
  for (int i = 0; i < kMessages; ++i) expect_message(other, message_number(i, 10'000));
}

TEST(DescriptorChannelTest, AnEndOfThePeerWakesASenderWhoseQueueIsFull) {
  auto [one, other] = DescriptorChannel::pair();
  while (one.send(testing::bytes_of(message_number(0, 10'000)), {}, now())) continue;
  std::jthread sender([&one = one] { EXPECT_FALSE(one.send(testing::bytes_of("x"), {}, TimePoint::max())); });
  other = DescriptorChannel();
}

TEST(DescriptorChannelTest, BothSendLargeMessagesAtOnceWithoutWaitingForEachOther) {
  auto [one, other] = DescriptorChannel::pair();
  constexpr int kMessages = 200;
  const std::string text = message_number(5, kMaxMessageBytes);
  const auto send_all = [&](DescriptorChannel& channel) {
    for (int i = 0; i < kMessages; ++i) say(channel, text);
  };
  const auto receive_all = [&](DescriptorChannel& channel) {
    for (int i = 0; i < kMessages; ++i) expect_message(channel, text);
  };
  std::jthread first([&, &one = one] { send_all(one); });
  std::jthread second([&, &other = other] { send_all(other); });
  std::jthread third([&, &one = one] { receive_all(one); });
  receive_all(other);
}

TEST(DescriptorChannelTest, APairIsOfThisProcess) {
  const auto [one, other] = DescriptorChannel::pair();
  for (const DescriptorChannel* end : {&one, &other}) {
    EXPECT_EQ(end->peer().process, process_id());
    EXPECT_TRUE(end->peer().same_user);
  }
}

TEST(DescriptorChannelTest, WhatWasMovedFromIsEmpty) {
  auto [one, other] = DescriptorChannel::pair();
  DescriptorChannel moved = std::move(one);
  EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(moved);
  say(moved, "to the same");
  expect_message(other, "to the same");
  EXPECT_FALSE(DescriptorChannel());
}

const testing::PeerRole kEcho("echo", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message message;
  while (parent.receive(message, soon()) == Received::message) {
    std::vector<NativeHandle> handles;
    for (const OwnedHandle& handle : message.handles) handles.push_back(handle.get());
    if (!parent.send(message.bytes, handles, soon())) return 4;
  }
  return 0;
});

TEST(DescriptorChannelTest, ThousandsOfMessagesGoToAnotherProcessAndComeBackInOrder) {
  testing::ConnectedPeer peer("echo");
  constexpr int kMessages = 5000;
  std::jthread sender([&] {
    for (int i = 0; i < kMessages; ++i) say(peer.channel, message_number(i, 20 + static_cast<std::size_t>(i) % 3000));
  });
  for (int i = 0; i < kMessages; ++i) {
    expect_message(peer.channel, message_number(i, 20 + static_cast<std::size_t>(i) % 3000));
  }
  sender.join();
  peer.channel = DescriptorChannel();
  EXPECT_EQ(peer.process.wait(), 0);
}

TEST(DescriptorChannelTest, HandlesGoToAnotherProcessAndComeBack) {
  testing::ConnectedPeer peer("echo");
  for (int i = 0; i < 100; ++i) {
    say(peer.channel, "there and back", std::array{marked_memory(i).handle_for(Access::read_write).get()});
    EXPECT_EQ(mark_of(std::move(expect_message(peer.channel, "there and back").handles.at(0))), i);
  }
}

TEST(DescriptorChannelTest, ThePeerIsKnownByItsProcessAndUser) {
  const testing::ConnectedPeer peer("echo");
  EXPECT_EQ(peer.channel.peer().process, peer.process.id());
  EXPECT_TRUE(peer.channel.peer().same_user);
}

const testing::PeerRole kSayALot("say a lot", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  const SharedMemory memory = marked_memory(6);
  for (int i = 0; i < 3; ++i)
    say(parent, message_number(i, 5000), std::array{memory.handle_for(Access::read_write).get()});
  Doorbell::create().wait(soon());  // until it is killed, and reading nothing
  return 0;
});

TEST(DescriptorChannelTest, AllThatAKilledPeerSentIsReadBeforeTheEnd) {
  testing::ConnectedPeer peer("say a lot");
  Message message = expect_message(peer.channel, message_number(0, 5000));
  EXPECT_EQ(mark_of(std::move(message.handles.at(0))), 6);
  message = expect_message(peer.channel, message_number(1, 5000));
  message = expect_message(peer.channel, message_number(2, 5000));
  say(peer.channel, "which it has no time to read");
  peer.process.kill();
  EXPECT_EQ(mark_of(std::move(message.handles.at(0))), 6);
  EXPECT_EQ(peer.channel.receive(message, soon()), Received::closed);
  EXPECT_EQ(peer.channel.receive(message, soon()), Received::closed);
  EXPECT_FALSE(peer.channel.send(testing::bytes_of("x"), {}, soon()));
}

TEST(DescriptorChannelTest, AKilledPeerWakesWhoReceives) {
  testing::ConnectedPeer peer("echo");
  std::jthread receiver([&] {
    Message message;
    EXPECT_EQ(peer.channel.receive(message, TimePoint::max()), Received::closed);
  });
  peer.process.kill();
}

}  // namespace
}  // namespace remotemedia::platform
