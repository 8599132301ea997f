// SPDX-License-Identifier: Apache-2.0
//
// Importers that lie, flood or stall, against a broker of another process: they lose their connection, and a good
// importer sees nothing of it.

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "memory/export_peers.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/broker_channel.h"
#include "remotemedia/memory/export_broker.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

using platform::DescriptorChannel;
using testing::ExportPeer;
using Received = DescriptorChannel::Received;

constexpr std::size_t kBytes = 5000;

TimePoint soon() { return later(monotonic_clock().now(), std::chrono::seconds{30}); }

class HostileImporterTest : public testing::ExportPeersTest {
 protected:
  HostileImporterTest() : text_(exporter_.export_block(kBytes, 1)), id_(read_export_id(text_)) {
    EXPECT_EQ(good_.import(text_), "0 " + sum_of(kBytes, 1));
  }

  /// Who behaves has what he had, and gets what he asks for.
  void expect_unharmed() {
    EXPECT_EQ(good_.ask("sum 0"), sum_of(kBytes, 1));
    EXPECT_TRUE(good_.import(text_).ends_with(" " + sum_of(kBytes, 1)));
    ExportPeer newcomer(folder());
    EXPECT_EQ(newcomer.import(text_), "0 " + sum_of(kBytes, 1));
  }

  DescriptorChannel connect() { return DescriptorChannel::connect(address_of(text_), soon()); }

  template <ExportMessageBody M>
  static platform::Message ask(DescriptorChannel& channel, const M& message, std::uint64_t number) {
    EXPECT_TRUE(channel.send(bytes_of(with_header(message, number)), {}, soon()));
    platform::Message answer;
    EXPECT_EQ(channel.receive(answer, soon()), Received::message);
    return answer;
  }

  /// Says `bytes` on a new connection, and hears that it is closed.
  void expect_closed_after(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles = {}) {
    DescriptorChannel channel = connect();
    EXPECT_TRUE(channel.send(bytes, handles, soon()));
    platform::Message answer;
    EXPECT_EQ(channel.receive(answer, soon()), Received::closed);
  }

  ExportPeer exporter_{folder()};
  ExportPeer good_{folder()};
  std::string text_;
  ExportId id_;
};

TEST_F(HostileImporterTest, NonsenseClosesItsConnection) {
  for (int times = 0; times < 2; ++times) {
    for (const std::size_t size : std::initializer_list<std::size_t>{1, 15, 16, 23, 24, 72, 73, 60'000}) {
      std::vector<std::byte> bytes(size);
      testing::fill_with(bytes, static_cast<unsigned>(size));
      expect_closed_after(bytes);
    }
    expect_unharmed();
  }
}

TEST_F(HostileImporterTest, HalfAMessageClosesItsConnection) {
  const OpenRequest whole = with_header(open_request(id_, false), 1);
  for (std::size_t size = 1; size < sizeof(whole); ++size) expect_closed_after(bytes_of(whole).first(size));
  expect_unharmed();
}

TEST_F(HostileImporterTest, WhatNoImporterSaysClosesItsConnection) {
  expect_closed_after(bytes_of(with_header(OpenRequest{}, 0)));
  expect_closed_after(bytes_of(with_header(MapRequest{.header = {}, .hold = 1}, 1)));
  expect_closed_after(bytes_of(with_header(ReleaseNotice{.header = {}, .hold = 1}, 0)));
  expect_closed_after(bytes_of(with_header(MappedAnswer{.header = {}, .hold = 1}, 1)));
  expect_closed_after(bytes_of(with_header(RefusedAnswer{.header = {}, .reason = 1}, 1)));
  expect_closed_after(bytes_of(with_header(OpenedAnswer{}, 1)));
  const platform::SharedMemory memory = platform::SharedMemory::create(1);
  const platform::OwnedHandle handle = memory.handle_for(platform::Access::read_write);
  const platform::NativeHandle sent = handle.get();
  expect_closed_after(bytes_of(with_header(open_request(id_, false), 1)), std::span(&sent, 1));
  expect_unharmed();
}

TEST_F(HostileImporterTest, AnotherVersionIsToldSo) {
  OpenRequest request = with_header(open_request(id_, false), 5);
  request.header.version = 2;
  DescriptorChannel channel = connect();
  EXPECT_TRUE(channel.send(bytes_of(request), {}, soon()));
  platform::Message answer;
  EXPECT_EQ(channel.receive(answer, soon()), Received::message);
  EXPECT_EQ(read_refused_answer(answer.bytes), Refusal::other_version);
  EXPECT_EQ(channel.receive(answer, soon()), Received::closed);
  expect_unharmed();
}

TEST_F(HostileImporterTest, GuessesAreRefusedAndTellNothing) {
  DescriptorChannel channel = connect();
  std::mt19937_64 random(1);
  ExportId guess = id_;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    guess.secret[random() % guess.secret.size()] ^= static_cast<std::byte>(1U << random() % 8);
    if (guess.secret == id_.secret) continue;
    if (i % 2 == 0) guess.number[random() % guess.number.size()] ^= std::byte{1};
    const platform::Message answer = ask(channel, open_request(guess, i % 3 == 0), i);
    EXPECT_EQ(read_refused_answer(answer.bytes), Refusal::unknown);
    EXPECT_TRUE(answer.handles.empty());
  }
  EXPECT_EQ(read_message_header(ask(channel, open_request(id_, false), 9999).bytes).request, 9999U);
  expect_unharmed();
}

TEST_F(HostileImporterTest, WritingIsNotGrantedAndTheHandleIsToBeRead) {
  DescriptorChannel channel = connect();
  EXPECT_EQ(read_refused_answer(ask(channel, open_request(id_, true), 1).bytes), Refusal::not_writable);
  const Opened opened = read_opened_answer(ask(channel, open_request(id_, false), 2).bytes);
  const std::uint64_t segment_bytes = opened.answer.segment_bytes;
  for (const auto access : {platform::Access::read_write, platform::Access::read_only}) {
    platform::Message mapped = ask(channel, MapRequest{.header = {}, .hold = opened.answer.hold}, 3);
    platform::OwnedHandle handle = take_mapped_or_refused(mapped);
    try {
      const auto memory = platform::SharedMemory::adopt(std::move(handle), segment_bytes, access);
      EXPECT_EQ(access, platform::Access::read_only);
      EXPECT_TRUE(memory.map(access));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_error);
      EXPECT_EQ(access, platform::Access::read_write);
    }
  }
  expect_unharmed();
}

TEST_F(HostileImporterTest, AHoldOfAnotherConnectionIsNone) {
  DescriptorChannel mine = connect();
  const std::uint64_t hold = read_opened_answer(ask(mine, open_request(id_, false), 1).bytes).answer.hold;
  expect_closed_after(bytes_of(with_header(MapRequest{.header = {}, .hold = hold}, 1)));
  expect_closed_after(bytes_of(with_header(ReleaseNotice{.header = {}, .hold = hold}, 0)));
  platform::Message mapped = ask(mine, MapRequest{.header = {}, .hold = hold}, 2);
  EXPECT_TRUE(take_mapped_or_refused(mapped));
}

TEST_F(HostileImporterTest, ReleasingTwiceClosesTheConnectionAndCountsOnce) {
  DescriptorChannel mine = connect();
  const std::uint64_t hold = read_opened_answer(ask(mine, open_request(id_, false), 1).bytes).answer.hold;
  EXPECT_TRUE(mine.send(bytes_of(with_header(ReleaseNotice{.header = {}, .hold = hold}, 0)), {}, soon()));
  EXPECT_TRUE(mine.send(bytes_of(with_header(ReleaseNotice{.header = {}, .hold = hold}, 0)), {}, soon()));
  platform::Message answer;
  EXPECT_EQ(mine.receive(answer, soon()), Received::closed);
  exporter_.ask("forget 0");
  EXPECT_EQ(exporter_.ask("usage"), std::to_string(kBytes)) << "the good importer has its hold";
  EXPECT_EQ(good_.ask("sum 0"), sum_of(kBytes, 1));
}

TEST_F(HostileImporterTest, WhoDoesNotReadItsAnswersIsClosed) {
  DescriptorChannel channel = connect();
  const OpenRequest request = with_header(open_request(id_, false), 1);
  while (channel.send(bytes_of(request), {}, soon())) {
  }
  expect_unharmed();
  for (unsigned i = 0; i < 3; ++i) good_.ask("drop " + std::to_string(i));
  exporter_.ask("forget 0");
  EXPECT_EQ(exporter_.ask("free"), "free") << "what it had opened is free again";
}

TEST_F(HostileImporterTest, AFloodOfHandlesNobodyTakesIsItsOwnTrouble) {
  DescriptorChannel channel = connect();
  const std::uint64_t hold = read_opened_answer(ask(channel, open_request(id_, false), 1).bytes).answer.hold;
  const MapRequest request = with_header(MapRequest{.header = {}, .hold = hold}, 2);
  while (channel.send(bytes_of(request), {}, soon())) {
  }
  channel = DescriptorChannel();
  expect_unharmed();
}

TEST_F(HostileImporterTest, OneProcessHasItsShareOfConnectionsAndNoMore) {
  std::vector<DescriptorChannel> silent;
  for (std::size_t i = 0; i < 4 * kMaxConnectionsOfOneProcess; ++i) {
    try {
      silent.push_back(connect());
    } catch (const Error& error) {  // turned away before it knew whom it had reached
      EXPECT_EQ(error.code(), ErrorCode::shared_memory_unavailable);
    }
  }
  std::size_t answered = 0;
  for (DescriptorChannel& channel : silent) {
    platform::Message answer;
    const bool sent = channel.send(bytes_of(with_header(OpenRequest{}, 1)), {}, soon());
    if (sent && channel.receive(answer, soon()) == Received::message) ++answered;
  }
  EXPECT_EQ(answered, kMaxConnectionsOfOneProcess);
  expect_unharmed();
  silent.clear();
  DescriptorChannel again = connect();
  EXPECT_EQ(read_refused_answer(ask(again, OpenRequest{}, 1).bytes), Refusal::unknown);
}

TEST_F(HostileImporterTest, ABrokerHasItsLimitAndServesThoseWhoAreThere) {
  std::vector<std::unique_ptr<ExportPeer>> crowd;
  std::size_t answered = 0;
  const auto call = "call " + address_of(text_).string() + " " + std::to_string(kMaxConnectionsOfOneProcess);
  while (answered + 1 < kMaxImporterConnections) {
    crowd.push_back(std::make_unique<ExportPeer>(folder()));
    const std::size_t more = std::stoul(crowd.back()->ask(call));
    if (more < kMaxConnectionsOfOneProcess) {
      answered += more;
      break;
    }
    answered += more;
  }
  EXPECT_EQ(answered, kMaxImporterConnections - 1) << "and the good importer's";
  EXPECT_EQ(crowd.back()->ask(call), "0");
  EXPECT_EQ(good_.ask("sum 0"), sum_of(kBytes, 1));
  EXPECT_TRUE(good_.import(text_).ends_with(" " + sum_of(kBytes, 1))) << "it has a connection";
  crowd.clear();
  expect_unharmed();
}

TEST_F(HostileImporterTest, TooManyHoldsAreRefusedAndTheConnectionStays) {
  DescriptorChannel channel = connect();
  for (std::uint64_t i = 1; i <= kMaxHoldsOfOneConnection; ++i) {
    const platform::Message answer = ask(channel, open_request(id_, false), i);
    ASSERT_EQ(read_message_header(answer.bytes).kind, static_cast<std::uint16_t>(ExportMessage::opened)) << i;
  }
  EXPECT_EQ(read_refused_answer(ask(channel, open_request(id_, false), 1).bytes), Refusal::too_many_holds);
  EXPECT_EQ(read_refused_answer(ask(channel, open_request(id_, false), 2).bytes), Refusal::too_many_holds);
  EXPECT_TRUE(channel.send(bytes_of(with_header(ReleaseNotice{.header = {}, .hold = 7}, 0)), {}, soon()));
  EXPECT_EQ(read_opened_answer(ask(channel, open_request(id_, false), 3).bytes).answer.bytes, kBytes);
  expect_unharmed();
}

TEST_F(HostileImporterTest, NoiseBetweenGoodMessagesIsSurvived) {
  std::mt19937_64 random(20'251'125);
  for (int i = 0; i < 300; ++i) {
    DescriptorChannel channel = connect();
    for (std::uint64_t turn = 1; turn < 8; ++turn) {
      OpenRequest request = with_header(open_request(id_, false), turn);
      std::vector<std::byte> bytes(sizeof(request));
      std::memcpy(bytes.data(), &request, sizeof(request));
      if (turn > 1) bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << random() % 8);
      if (!channel.send(bytes, {}, soon())) break;
      platform::Message answer;
      if (channel.receive(answer, soon()) != Received::message) break;
      EXPECT_TRUE(answer.handles.empty());
    }
  }
  expect_unharmed();
}

}  // namespace
}  // namespace remotemedia
