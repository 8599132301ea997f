// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "channel/message_samples.h"
#include "channel/raw_message.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;
using testing::thrown;

TEST(MessageHeaderTest, IsReadOfAnyVersion) {
  EXPECT_EQ(read_message_header(RawMessage().header(MessageKind::call, 9, 65'535, 3).whole()),
            (MessageHeader{.version = {65'535, 3}, .kind = 3, .request = 9}));
  EXPECT_EQ(read_message_header(RawMessage().header(static_cast<MessageKind>(777), 0).repeat(50, 1).whole()).kind, 777);
}

TEST(MessageHeaderTest, WhatBeginsNoMessageIsRefused) {
  const auto says = [](const RawMessage& message) {
    return refusal(read_message_header, message.whole()).value_or("");
  };
  EXPECT_THAT(refusal(read_message_header, Bytes{}).value_or(""),
              HasSubstr("magic must be 4 bytes and is cut after 0"));
  EXPECT_THAT(says(RawMessage().letters("RMXP").u16(1).u16(0).u16(1).u16(0).u32(0).u64(0)), HasSubstr("magic must be"));
  EXPECT_THAT(says(RawMessage().header(MessageKind::call, 0, 0)),
              HasSubstr("major version must be 1 to 65535 and is 0"));
  EXPECT_THAT(says(RawMessage().letters("RMCH").u16(1).u16(0).u16(1).u16(1).u32(0).u64(0)),
              HasSubstr("reserved must be 0 to 0 and is 1"));
  EXPECT_THAT(says(RawMessage().header(MessageKind::call, 0).repeat(platform::kMaxMessageBytes - 23, 0)),
              HasSubstr("size must be at most 65536 and is 65537"));
}

TEST(MessageHeaderTest, TheSizeThatItSaysIsTheMessages) {
  Bytes bytes = write_message(CancelMessage{7});
  for (const unsigned size : {0U, 16U, 23U, 25U, 255U}) {
    bytes[12] = static_cast<std::byte>(size);
    EXPECT_THAT(refusal(read_client_message, bytes).value_or(""),
                HasSubstr("size must be 24 and is " + std::to_string(size)));
  }
}

TEST(MessageHeaderTest, AnotherMajorVersionIsRefusedWithBoth) {
  for (const MessageKind kind : {MessageKind::call, MessageKind::cancel, static_cast<MessageKind>(777)}) {
    EXPECT_EQ(worker_refuses(RawMessage().header(kind, 7, 3)), "message 'header': major version must be 2 and is 3");
    EXPECT_EQ(worker_refuses(RawMessage().header(kind, 7, 3)), "message 'header': major version must be 2 and is 3");
  }
  EXPECT_THAT(client_refuses(RawMessage().header(MessageKind::welcome, 0, 3)).value_or(""),
              HasSubstr("must be 2 and is 3"));
}

TEST(MessageHeaderTest, AHelloOfAnotherMajorVersionIsUnderstood) {
  RawMessage raw;
  raw.header(MessageKind::hello, 0, 3, 4).u32(1).u16(3).u16(4).repeat(16, 9).u8(1).u32(8).letters("what is new in 3.4");
  const auto hello = std::get<HelloMessage>(read_client_message(raw.whole()));
  EXPECT_EQ(hello.versions, (std::vector<ProtocolVersion>{{3, 4}}));
  EXPECT_EQ(choose_version(hello.versions, kUnderstoodVersions), std::nullopt);

  const RefusedMessage refused = other_version(hello);
  EXPECT_EQ(refused.code, ErrorCode::protocol_error);
  EXPECT_EQ(refused.text, "the client speaks version 3.4 of the protocol, and this worker 2.0");
  EXPECT_EQ(std::get<RefusedMessage>(read_worker_message(write_message(refused))), refused);
}

TEST(MessageHeaderTest, ARefusalOfAnotherMajorVersionIsUnderstood) {
  RawMessage raw;
  raw.header(MessageKind::refused, 0, 3, 1).u32(2).u16(2).u16(0).u16(3).u16(1).u16(14).text("other").u64(1);
  const auto refused = std::get<RefusedMessage>(read_worker_message(raw.whole()));
  EXPECT_EQ(refused.versions, (std::vector<ProtocolVersion>{{2, 0}, {3, 1}}));
  EXPECT_EQ(refused.text, "other");
}

TEST(MessageHeaderTest, KindsOfTheOtherSideMeanNothing) {
  for (const SampleBytes& sample : written_samples()) {
    const std::string_view name = sample.name;
    if (name.starts_with("chunk")) continue;
    const auto said =
        sample.from_client ? refusal(read_worker_message, sample.bytes) : refusal(read_client_message, sample.bytes);
    EXPECT_THAT(said.value_or(""), HasSubstr("kind must be one that this side sends and is")) << name;
  }
  EXPECT_THAT(worker_refuses(RawMessage().header(static_cast<MessageKind>(0), 0)).value_or(""),
              HasSubstr("kind must be"));
  EXPECT_THAT(client_refuses(RawMessage().header(static_cast<MessageKind>(65'535), 0)).value_or(""),
              HasSubstr("kind must be"));
}

TEST(MessageHeaderTest, OnlyWhatIsAboutARequestNamesOne) {
  for (const SampleBytes& sample : written_samples()) {
    Bytes bytes = sample.bytes;
    const bool had_one = bytes[16] != std::byte{0};
    bytes[16] = std::byte{had_one ? std::uint8_t{0} : std::uint8_t{1}};
    const auto said = sample.from_client ? refusal(read_client_message, bytes) : refusal(read_worker_message, bytes);
    if (sample.name == std::string_view("segments")) {
      EXPECT_EQ(said, std::nullopt) << "they may come unasked";
    } else {
      EXPECT_THAT(said.value_or(""),
                  HasSubstr(had_one ? "request must be above 0 and is 0" : "request must be 0 and is 1"))
          << sample.name;
    }
  }
}

TEST(MessageHeaderTest, AWriterWritesNothingThatIsRefused) {
  const auto says = [](const auto& message) {
    const Error error = thrown([&] { (void)write_message(message); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  EXPECT_EQ(says(CancelMessage{0}), "message 'cancel': request must be above 0 and is 0");
  EXPECT_EQ(says(HelloMessage{}), "message 'hello': client must be drawn and is all zeros");
  HelloMessage hello = sample_hello();
  hello.versions = {{3, 0}};
  EXPECT_EQ(says(hello), "message 'hello': versions must be a list with the message's own and is 3.0");
  EXPECT_EQ(says(MappedMessage{{3, 3}}),
            "message 'mapped': segment 1: number must be above the one before it and is 3");
  EXPECT_EQ(says(FailureMessage{1, static_cast<ErrorCode>(99), ""}),
            "message 'failure': code must be a value of its type and is 99");
  CallMessage call = call_with_nothing();
  call.time_left = Duration{-1};
  EXPECT_THAT(says(call), HasSubstr("time_left must be 0 to"));
  call = call_with_nothing();
  call.session_id = "\xFF";
  EXPECT_EQ(says(call), "message 'call': session_id must be UTF-8 and is not");
  call.session_id.reset();
  call.parameters = {{"a", true}, {"b", std::string("\xC0\x80")}};
  EXPECT_EQ(says(call), "message 'call': parameter 1: value must be UTF-8 and is not");
  call.parameters["a"].emplace<std::string>(32'768, 'a');
  call.parameters["b"].emplace<std::string>(32'768, 'b');
  EXPECT_EQ(says(call), "message 'call': size must be at most 65536 and is 65610");
  call = sample_call();
  call.tensors[0].bytes = call.tensors[0].bytes.first(3);
  EXPECT_EQ(says(call), "message 'call': tensor 0: bytes must be 4 bytes and is 3");
  call = sample_call();
  call.tensors[1].bytes = kSampleBytes;
  EXPECT_EQ(says(call), "message 'call': tensor 1: bytes must be 0 bytes and is 4");
}

TEST(MessageHeaderTest, EveryFailureCanBeTold) {
  const auto read = [](const std::string& text) {
    const Bytes bytes = write_message(FailureMessage{1, ErrorCode::inference_failed, text});
    return std::get<FailureMessage>(read_worker_message(bytes)).text;
  };
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(read(std::string(40'000, 'x')), std::string(32'768, 'x'));
  EXPECT_EQ(read(std::string(32'767, 'x').append("\xC3\xA9")), std::string(32'767, 'x'));
}

}  // namespace
}  // namespace remotemedia::detail
