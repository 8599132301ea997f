// SPDX-License-Identifier: Apache-2.0
//
// Streams that stand for messages, and options that must be set in time, by the sources for macOS.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/peer_watch.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::AddressFolder;
using testing::bytes_of;
using testing::code_thrown;
using testing::now;
using testing::soon;
using testing::text_of;

int fd(NativeHandle handle) { return static_cast<int>(handle); }

/// The other end of a channel, to write to it what no DescriptorChannel would.
struct RawEnd {
  RawEnd() {
    auto [one, other] = DescriptorChannel::pair();
    channel = std::move(one);
    raw = OwnedHandle(dup(fd(other.wait_handle())));
  }

  void write(const void* bytes, std::size_t size) {
    ASSERT_EQ(::send(fd(raw.get()), bytes, size, 0), static_cast<ssize_t>(size));
  }

  void write_header(std::uint32_t bytes, std::uint32_t handles) {
    const std::array<std::uint32_t, 2> header{bytes, handles};
    write(header.data(), sizeof header);
  }

  void write_with_handles(const void* bytes, std::size_t size, std::size_t count) {
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    auto* const part = reinterpret_cast<cmsghdr*>(control.data());
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(count * sizeof(int));
    const int copied = fd(raw.get());
    for (std::size_t i = 0; i < count; ++i) std::memcpy(CMSG_DATA(part) + i * sizeof copied, &copied, sizeof copied);
    iovec whole{.iov_base = const_cast<void*>(bytes), .iov_len = size};
    msghdr message{};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    message.msg_control = part;
    message.msg_controllen = part->cmsg_len;
    ASSERT_EQ(sendmsg(fd(raw.get()), &message, 0), static_cast<ssize_t>(size));
  }

  DescriptorChannel channel;
  OwnedHandle raw;
};

/// Descriptors that this process has open.
std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int descriptor = 0; descriptor < 1000; ++descriptor) count += fcntl(descriptor, F_GETFD) != -1 ? 1U : 0U;
  return count;
}

using Received = DescriptorChannel::Received;

TEST(MacosChannelTest, AMessageThatComesByteByByteIsOneMessage) {
  RawEnd peer;
  Message message;
  std::string bytes(sizeof(std::uint32_t) * 2, '\0');
  const std::uint32_t size = 5;
  std::memcpy(bytes.data(), &size, sizeof size);
  bytes += "hello";
  for (const char byte : bytes) {
    EXPECT_EQ(peer.channel.receive(message, now()), Received::nothing);
    peer.write(&byte, 1);
  }
  EXPECT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "hello");
  EXPECT_EQ(peer.channel.receive(message, now()), Received::nothing);
}

TEST(MacosChannelTest, TwoMessagesInOneWriteAreTwo) {
  RawEnd peer;
  std::string both;
  for (const std::string text : {"one", "three"}) {
    const std::array<std::uint32_t, 2> header{static_cast<std::uint32_t>(text.size()), 0};
    both.append(reinterpret_cast<const char*>(header.data()), sizeof header);
    both += text;
  }
  peer.write(both.data(), both.size());
  Message message;
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "one");
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "three");
}

void expect_refused(RawEnd& peer) {
  Message message;
  EXPECT_EQ(code_thrown([&] { peer.channel.receive(message, soon()); }), ErrorCode::protocol_error);
  EXPECT_EQ(peer.channel.receive(message, soon()), Received::closed);
  EXPECT_FALSE(peer.channel.send(bytes_of("x"), {}, soon()));
}

TEST(MacosChannelTest, LyingHeadersAreRefusedAndTheChannelIsOver) {
  const std::uint32_t most = kMaxMessageBytes;
  const std::uint32_t handles = kMaxMessageHandles;
  for (const auto& [bytes, count] : {std::pair<std::uint32_t, std::uint32_t>{0, 0},
                                     {most + 1, 0},
                                     {0xFFFF'FFFF, 0},
                                     {0xFFFF'FFF8, 0},
                                     {1, handles + 1},
                                     {1, 0xFFFF'FFFF}}) {
    SCOPED_TRACE(std::to_string(bytes) + " bytes, " + std::to_string(count) + " handles");
    RawEnd peer;
    peer.write_header(bytes, count);
    expect_refused(peer);
  }
}

TEST(MacosChannelTest, AMessageThatIsCutIsRefused) {
  RawEnd in_header;
  in_header.write("abc", 3);
  shutdown(fd(in_header.raw.get()), SHUT_RDWR);
  expect_refused(in_header);
  RawEnd in_bytes;
  in_bytes.write_header(10, 0);
  in_bytes.write("abc", 3);
  shutdown(fd(in_bytes.raw.get()), SHUT_RDWR);
  expect_refused(in_bytes);
}

TEST(MacosChannelTest, HandlesThatWereNotAnnouncedAreClosed) {
  const std::size_t before = open_descriptors();
  const std::array<std::uint32_t, 2> header{1, 1};
  for (const std::size_t count : {std::size_t{2}, std::size_t{9}, std::size_t{200}}) {
    RawEnd peer;
    peer.write_with_handles(header.data(), sizeof header, count);
    peer.write("x", 1);
    expect_refused(peer);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(MacosChannelTest, HandlesThatNeverComeAreRefused) {
  RawEnd peer;
  peer.write_header(1, 1);
  peer.write("x", 1);
  expect_refused(peer);
}

TEST(MacosChannelTest, HandlesThatComeLaterThanTheFirstByteCountAsWell) {
  RawEnd peer;
  peer.write_header(2, 1);
  peer.write("x", 1);
  peer.write_with_handles("y", 1, 1);
  Message message;
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "xy");
  ASSERT_EQ(message.handles.size(), 1U);
  EXPECT_EQ(fcntl(fd(message.handles[0].get()), F_GETFD), FD_CLOEXEC);
}

TEST(MacosChannelTest, AFullQueueTakesNoPartOfAMessage) {
  auto [one, other] = DescriptorChannel::pair();
  const std::vector<std::byte> largest(kMaxMessageBytes, std::byte{1});
  int sent = 0;
  while (one.send(largest, {}, now())) ++sent;
  EXPECT_GE(sent, 1);
  const NativeHandle handle = one.wait_handle();
  EXPECT_FALSE(one.send(largest, std::span(&handle, 1), now()));
  Message message;
  for (int i = 0; i < sent; ++i) {
    ASSERT_EQ(other.receive(message, soon()), Received::message) << i;
    ASSERT_EQ(message.bytes, largest) << i;
  }
  EXPECT_EQ(other.receive(message, now()), Received::nothing);
  EXPECT_TRUE(one.send(largest, std::span(&handle, 1), soon()));
  ASSERT_EQ(other.receive(message, soon()), Received::message);
  EXPECT_EQ(message.handles.size(), 1U);
}

TEST(MacosChannelTest, SendingToACallerWhoLeftBeforeItWasAcceptedRaisesNoSignal) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "w");
  DescriptorChannel::connect(folder / "w", soon());
  std::optional<DescriptorChannel> caller = listener.accept(soon());
  ASSERT_TRUE(caller);
  for (int twice = 0; twice < 2; ++twice) EXPECT_FALSE(caller->send(bytes_of("x"), {}, soon()));
  EXPECT_EQ(code_thrown([&] { PeerWatch::of(*caller); }), ErrorCode::worker_unavailable);
  EXPECT_TRUE(caller->peer().same_user);
}

TEST(MacosChannelTest, WhatACallerSaidBeforeItLeftIsHeard) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "w");
  {
    DescriptorChannel leaving = DescriptorChannel::connect(folder / "w", soon());
    ASSERT_TRUE(leaving.send(bytes_of("bye"), {}, soon()));
  }
  std::optional<DescriptorChannel> caller = listener.accept(soon());
  ASSERT_TRUE(caller);
  Message message;
  ASSERT_EQ(caller->receive(message, soon()), Received::message);
  EXPECT_EQ(text_of(message), "bye");
  EXPECT_EQ(caller->receive(message, soon()), Received::closed);
}

TEST(MacosChannelTest, WhoThePeerIsIsKnownAfterItHasGone) {
  auto [one, other] = DescriptorChannel::pair();
  { const DescriptorChannel gone = std::move(other); }
  EXPECT_EQ(one.peer().process, process_id());
}

}  // namespace
}  // namespace remotemedia::platform
