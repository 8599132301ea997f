// SPDX-License-Identifier: Apache-2.0
//
// Clients that say what is no message, or not now: each loses its session, and nobody else sees anything of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "channel/hostile_client.h"
#include "channel/told_model.h"
#include "testing/latch.h"

namespace remotemedia {
namespace {

using detail::AnswerMessage;
using detail::AnswersReadMessage;
using detail::AskHealthMessage;
using detail::AskSegmentMessage;
using detail::AskStatusMessage;
using detail::BytesIn;
using detail::CallMessage;
using detail::CancelMessage;
using detail::ChunkMessage;
using detail::CloseSessionMessage;
using detail::FailureMessage;
using detail::MappedMessage;
using detail::RefusedMessage;
using testing::call;
using ::testing::HasSubstr;
using testing::HostileClientTest;
using testing::RawClient;
using testing::ServedChannel;

TEST_F(HostileClientTest, NothingButAHelloComesFirst) {
  const std::vector<std::vector<std::byte>> messages{
      write_message(MappedMessage{{0}}),
      write_message(call(1, BytesIn::record, 10)),
      write_message(CancelMessage{1}),
      write_message(AnswersReadMessage{1, 1}),
      write_message(CloseSessionMessage{"x"}),
      write_message(AskStatusMessage{1}),
      write_message(AskHealthMessage{1}),
      write_message(AskSegmentMessage{1, 1}),
      write_message(ChunkMessage{1, 0, 0, std::array<std::byte, 1>{}}),
  };
  for (const std::vector<std::byte>& message : messages) {
    RawClient client(served_);
    client.say_bytes(message);
    expect_ended(client, "hello");
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, WhatIsNoMessageOfAClientEndsTheSession) {
  expect_ends([](RawClient& client) { client.say(RawClient::hello()); }, "hello twice");
  expect_ends([](RawClient& client) { client.say(AnswerMessage{1, 0, true, {}}); });
  expect_ends([](RawClient& client) { client.say(FailureMessage{1, ErrorCode::cancelled, "no"}); });
  expect_ends([](RawClient& client) { client.say(RefusedMessage{}); });
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 23, 24, 60'000}) {
    expect_ends([&](RawClient& client) { client.say_bytes(std::vector<std::byte>(size, std::byte{0x41})); });
  }
  const std::vector<std::byte> whole = write_message(call(1, BytesIn::record, 10));
  for (std::size_t size = 1; size < whole.size(); size += 3) {
    RawClient client(served_);
    client.shake_hands();
    client.say_bytes(std::span(whole).first(size));
    expect_ended(client);
  }
  expect_ends(
      [](RawClient& client) {
        const platform::NativeHandle handle = client.own_bell();
        client.say_bytes(write_message(AskStatusMessage{1}), std::span(&handle, 1));
      },
      "handle");
}

TEST_F(HostileClientTest, AnotherVersionIsToldWhichOnesThereAre) {
  std::vector<std::byte> bytes = write_message(RawClient::hello());
  bytes[4] = std::byte{3};  // the header's major version, and that of the list
  bytes[28] = std::byte{3};
  bytes[30] = std::byte{7};
  bytes[6] = std::byte{7};
  for (int twice = 0; twice < 2; ++twice) {
    RawClient client(served_);
    client.say_bytes(bytes);
    expect_ended(client, "3.7");
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, ChunksThatAreNotTheNextEndTheSession) {
  const std::vector<std::byte> bytes(1000);
  const auto chunk = [&](std::uint64_t request, std::uint32_t tensor, std::uint64_t offset, std::size_t size) {
    return ChunkMessage{request, tensor, offset, std::span(bytes).first(size)};
  };
  const CallMessage begun = call(1, BytesIn::chunks, 500);
  const auto lie = [&](const ChunkMessage& first, const std::function<void(RawClient&)>& then) {
    return [&, first, then](RawClient& client) {
      client.say(begun);
      client.say(first);
      then(client);
    };
  };
  const auto nothing = [](RawClient&) {};
  expect_ends([&](RawClient& client) { client.say(chunk(1, 0, 0, 4)); }, "chunk");
  expect_ends(lie(chunk(2, 0, 0, 4), nothing), "chunk");
  expect_ends(lie(chunk(1, 1, 0, 4), nothing), "chunk");
  expect_ends(lie(chunk(1, 0, 4, 4), nothing), "chunk");
  expect_ends(lie(chunk(1, 0, 0, 400), [&](RawClient& client) { client.say(chunk(1, 0, 0, 400)); }), "chunk");
  expect_ends(lie(chunk(1, 0, 0, 1000),
                  [&](RawClient& client) {
                    client.say(chunk(1, 0, 1000, 1000));
                    client.say(chunk(1, 0, 2000, 1));
                  }),
              "chunk");
  expect_ends(lie(chunk(1, 0, 0, 4), [&](RawClient& client) { client.say(AskStatusMessage{7}); }), "not complete");
  expect_ends(lie(chunk(1, 0, 0, 4), [&](RawClient& client) { client.say(begun); }), "not complete");
}

TEST(HostileRequestTest, ARequestNumberIsOfOneCallAtATime) {
  const std::vector<std::byte> bytes(40);
  const auto by_record = [](RawClient& client) { client.push(client.input(7)); };
  const auto by_message = [](RawClient& client) {
    CallMessage stream = call(7, BytesIn::message, 0);
    stream.stream = true;
    client.say(stream);
  };
  const auto in_chunks = [&](RawClient& client) {
    client.say(call(7, BytesIn::chunks, 10));
    client.say(ChunkMessage{7, 0, 0, bytes});
  };
  const std::vector<std::function<void(RawClient&)>> ways{by_record, by_message, in_chunks};

  testing::Latch answer(1);
  ServedChannel served(std::make_shared<testing::ToldModel>(
      testing::Doubler().signature(), [&](const TensorMap& inputs, InferenceContext& /*context*/) {
        answer.wait();
        return TensorMap{{"y", inputs.at("x")}};
      }));
  for (const auto& first : ways) {
    for (const auto& second : ways) {
      RawClient client(served);
      client.shake_hands();
      first(client);
      second(client);
      const auto end = client.hear_the_end();
      ASSERT_TRUE(end.has_value());
      EXPECT_EQ(end->code, ErrorCode::protocol_error);
      EXPECT_THAT(end->text, HasSubstr("the number of a call that is not answered yet"));
    }
  }
  answer.count_down();
  RawClient honest(served);
  honest.shake_hands();
  for (int twice = 0; twice < 2; ++twice) {
    honest.push(honest.input(7));
    EXPECT_EQ(honest.pop().request_id, 7U) << "one that is answered is free";
  }
}

}  // namespace
}  // namespace remotemedia
