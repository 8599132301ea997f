// SPDX-License-Identifier: Apache-2.0
//
// What only Windows can show of channels: pipes, handles that are put into the receiver, files that name pipes.

#include <gtest/gtest.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "platform/windows/handle_count.h"
#include "remotemedia/platform/address_windows.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using namespace std::chrono_literals;
using remotemedia::testing::code_thrown;
using Received = DescriptorChannel::Received;

constexpr TimePoint kNow = TimePoint::min();

TimePoint soon() { return later(monotonic_clock().now(), 10s); }

const std::array<std::byte, 3> kBytes{std::byte{1}, std::byte{2}, std::byte{3}};

class ChannelTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(address_); }

  std::wstring pipe_name() const { return read_address(address_).value(); }

  /// One who speaks another language: what he writes is not a frame of the library.
  OwnedHandle stranger() const {
    return made(CreateFileW(pipe_name().c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr),
                "CreateFile", "connect");
  }

  std::filesystem::path address_ = run_directory() / ("channel_test-" + std::to_string(process_id()));
};

/// A frame as the library writes it, of which each part can be a lie.
std::vector<std::byte> frame(std::uint32_t magic, std::uint32_t byte_count, std::uint64_t handle_count,
                             std::uint64_t handle, std::size_t bytes) {
  constexpr std::size_t kHeadBytes = 80;
  std::vector<std::byte> all(kHeadBytes + bytes);
  std::memcpy(all.data(), &magic, sizeof magic);
  std::memcpy(all.data() + 4, &byte_count, sizeof byte_count);
  std::memcpy(all.data() + 8, &handle_count, sizeof handle_count);
  for (std::size_t at = 16; at < kHeadBytes; at += sizeof handle) std::memcpy(all.data() + at, &handle, sizeof handle);
  return all;
}

constexpr std::uint32_t kMagic = 0x31464d52;

TEST_F(ChannelTest, AnAddressIsAFileThatNamesAPipeNobodyCanGuess) {
  const ChannelListener one = ChannelListener::listen(address_);
  const std::wstring name = pipe_name();
  EXPECT_EQ(name.find(L"\\\\.\\pipe\\remotemedia-"), 0U);
  EXPECT_EQ(name.size(), std::wstring(L"\\\\.\\pipe\\remotemedia-").size() + 32);
  const std::filesystem::path other_address = address_.native() + L"2";
  const ChannelListener other = ChannelListener::listen(other_address);
  EXPECT_NE(read_address(other_address).value(), name);
}

TEST_F(ChannelTest, AFileThatNamesSomethingElseIsNoAddress) {
  for (const char* text : {"", "\\\\.\\pipe\\other", "\\\\server\\pipe\\remotemedia-00112233445566778899aabbccddeeff",
                           "\\\\.\\pipe\\remotemedia-00112233445566778899aabbccddeefg", "C:\\windows\\win.ini"}) {
    std::ofstream(address_) << text;
    EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(address_, soon()); }), ErrorCode::shared_memory_unavailable);
    remove_dead_addresses(address_.parent_path());
    EXPECT_TRUE(std::filesystem::exists(address_)) << text;
  }
}

TEST_F(ChannelTest, TheFileOfALiveListenerCannotBeRemoved) {
  const ChannelListener listener = ChannelListener::listen(address_);
  std::error_code error;
  EXPECT_FALSE(std::filesystem::remove(address_, error));
  EXPECT_TRUE(DescriptorChannel::connect(address_, soon()));
}

TEST_F(ChannelTest, AStrangersMessageIsAProtocolErrorAndTheEnd) {
  ChannelListener listener = ChannelListener::listen(address_);
  const OwnedHandle event = create_event();
  const auto live = static_cast<std::uint64_t>(event.get());
  const std::vector<std::vector<std::byte>> lies = {
      std::vector<std::byte>(5),                     // too short for a head
      frame(kMagic + 1, 1, 0, 0, 1),                 // not ours
      frame(kMagic, 1, 9, live, 1),                  // more handles than a message may have
      frame(kMagic, 1, 1, 0, 1),                     // a handle that is none
      frame(kMagic, 1, 1, ~std::uint64_t{0}, 1),     // what stands for this process
      frame(kMagic, 1, 1, ~std::uint64_t{1}, 1),     // what stands for this thread
      frame(kMagic, 1, 1, 0x7ffffff0, 1),            // a handle that is not there
      frame(kMagic, 0, 0, 0, 1),                     // nothing in it
      frame(kMagic, 2, 0, 0, 1),                     // less than it says
      frame(kMagic, 1, 0, 0, kMaxMessageBytes + 1),  // too large
      frame(kMagic, 1, 0, 0, 3 * kMaxMessageBytes),  // much too large
  };
  for (const std::vector<std::byte>& lie : lies) {
    const OwnedHandle peer = stranger();
    std::optional<DescriptorChannel> channel = listener.accept(soon());
    ASSERT_TRUE(channel);
    DWORD written = 0;
    ASSERT_NE(WriteFile(raw(peer), lie.data(), static_cast<DWORD>(lie.size()), &written, nullptr), FALSE);
    Message message;
    EXPECT_EQ(code_thrown([&] { channel->receive(message, soon()); }), ErrorCode::protocol_error) << lie.size();
    EXPECT_EQ(channel->receive(message, soon()), Received::closed);
    EXPECT_FALSE(channel->send(kBytes, {}, kNow));
  }
  EXPECT_TRUE(facts_of(event.get()));
}

TEST_F(ChannelTest, AHandleSaidTwiceIsClosedOnce) {
  ChannelListener listener = ChannelListener::listen(address_);
  const OwnedHandle peer = stranger();
  std::optional<DescriptorChannel> channel = listener.accept(soon());
  OwnedHandle sent = create_event();
  const std::vector<std::byte> lie = frame(kMagic, 1, 2, static_cast<std::uint64_t>(sent.get()), 1);
  DWORD written = 0;
  WriteFile(raw(peer), lie.data(), static_cast<DWORD>(lie.size()), &written, nullptr);
  Message message;
  EXPECT_EQ(code_thrown([&] { channel->receive(message, soon()); }), ErrorCode::protocol_error);
  EXPECT_FALSE(facts_of(sent.release()));
}

// The system ends what a thread has begun when the thread ends.
TEST_F(ChannelTest, TheThreadThatMadeAnEndMayEnd) {
  ChannelListener listener;
  std::thread([&] { listener = ChannelListener::listen(address_); }).join();
  DescriptorChannel client;
  std::thread([&] { client = DescriptorChannel::connect(address_, soon()); }).join();
  std::optional<DescriptorChannel> server;
  std::thread([&] { server = listener.accept(soon()); }).join();
  ASSERT_TRUE(server);
  Message message;
  EXPECT_EQ(client.receive(message, kNow), Received::nothing);
  EXPECT_EQ(server->receive(message, kNow), Received::nothing);
  EXPECT_TRUE(client.send(kBytes, {}, soon()));
  EXPECT_EQ(server->receive(message, soon()), Received::message);
  EXPECT_TRUE(server->send(kBytes, {}, soon()));
  EXPECT_EQ(client.receive(message, soon()), Received::message);
  EXPECT_EQ(message.bytes, std::vector<std::byte>(kBytes.begin(), kBytes.end()));
}

TEST_F(ChannelTest, HandlesOfMessagesThatNobodyReceivedAreClosed) {
  const OwnedHandle event = create_event();
  const std::array<NativeHandle, 2> handles{event.get(), event.get()};
  const auto round = [&] {
    auto [one, other] = DescriptorChannel::pair();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(one.send(kBytes, handles, soon()));
  };
  round();
  const DWORD base = remotemedia::testing::handle_count();
  for (int i = 0; i < 20; ++i) round();
  EXPECT_EQ(remotemedia::testing::handle_count(), base);
}

TEST_F(ChannelTest, HandlesThatCouldNotGoAreTakenBack) {
  const OwnedHandle event = create_event();
  auto [one, other] = DescriptorChannel::pair();
  const std::vector<std::byte> large(kMaxMessageBytes);
  while (one.send(large, {}, kNow)) {
  }
  const DWORD base = remotemedia::testing::handle_count();
  const std::array<NativeHandle, 2> handles{event.get(), event.get()};
  EXPECT_FALSE(one.send(large, handles, kNow));
  EXPECT_FALSE(one.send(large, handles, kNow));
  EXPECT_EQ(remotemedia::testing::handle_count(), base);
  Message message;
  for (Received received = Received::message; received == Received::message;) received = other.receive(message, kNow);
  EXPECT_TRUE(one.send(large, handles, kNow));
}

TEST_F(ChannelTest, HandlesCountBackToBase) {
  const auto round = [&] {
    ChannelListener listener = ChannelListener::listen(address_);
    DescriptorChannel client = DescriptorChannel::connect(address_, soon());
    DescriptorChannel turned_away = DescriptorChannel::connect(address_, soon());
    std::optional<DescriptorChannel> server = listener.accept(soon());
    const OwnedHandle event = create_event();
    const std::array<NativeHandle, 1> handles{event.get()};
    EXPECT_TRUE(client.send(kBytes, handles, soon()));
    Message message;
    EXPECT_EQ(server->receive(message, soon()), Received::message);
    EXPECT_THROW(ChannelListener::listen(address_), Error);
  };
  round();
  const DWORD base = remotemedia::testing::handle_count();
  for (int i = 0; i < 20; ++i) round();
  EXPECT_EQ(remotemedia::testing::handle_count(), base);
}

TEST(ManyHandlesTest, WaitingFindsOneOfMoreThanTheSystemTakesAtOnce) {
  std::vector<Doorbell> bells(200);
  std::ranges::generate(bells, Doorbell::create);
  std::vector<NativeHandle> handles;
  for (const Doorbell& bell : bells) handles.push_back(bell.wait_handle());
  EXPECT_TRUE(wait_for_any(handles, kNow).empty());
  for (const std::size_t rung : {0U, 63U, 64U, 130U, 199U}) {
    std::jthread ringer([&] { bells[rung].ring(); });
    EXPECT_EQ(wait_for_any(handles, soon()), std::vector<std::size_t>{rung});
    EXPECT_TRUE(bells[rung].wait(kNow));
  }
  EXPECT_TRUE(wait_for_any(handles, later(monotonic_clock().now(), 1ms)).empty());
}

TEST(EventTest, AnEventThatResetsItselfIsRefused) {
  EXPECT_EQ(code_thrown([] { Doorbell::adopt(OwnedHandle(native(CreateEventW(nullptr, FALSE, FALSE, nullptr)))); }),
            ErrorCode::protocol_error);
}

TEST(EventTest, OneRingWakesOneOfManyWaiters) {
  constexpr int kRings = 100;
  Doorbell bell = Doorbell::create();
  std::atomic<int> taken{0};
  std::atomic<int> waiting{4};
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      while (bell.wait(soon()) && ++taken <= kRings) continue;
      --waiting;
      bell.ring();
    });
  }
  for (int rung = 0; rung < kRings; ++rung) {
    bell.ring();
    while (taken == rung) std::this_thread::yield();
    EXPECT_EQ(taken, rung + 1);
  }
  bell.ring();
  waiters.clear();
  EXPECT_EQ(taken, kRings + 4);
  EXPECT_EQ(waiting, 0);
}

}  // namespace
}  // namespace remotemedia::platform
