// SPDX-License-Identifier: Apache-2.0
//
// The bytes of each message, spelled out: whoever changes them changes the protocol, and its version.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "channel/message_samples.h"
#include "channel/raw_message.h"
#include "remotemedia/channel/channel_messages.h"

namespace remotemedia::detail {
namespace {

/// "01 02 'text'": hexadecimal bytes, and letters between quotes.
Bytes spelled(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] == '\'') {
      while (text[++i] != '\'') bytes.push_back(static_cast<std::byte>(text[i]));
    } else {
      bytes.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i++, 2)), nullptr, 16)));
    }
  }
  return bytes;
}

std::string hexadecimal(const Bytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<std::size_t>(byte) >> 4];
    text += kDigits[static_cast<std::size_t>(byte) & 15];
  }
  return text;
}

template <class M>
void expect_bytes(const M& message, std::string_view expected) {
  const Bytes bytes = spelled(expected);
  EXPECT_EQ(hexadecimal(write_message(message)), hexadecimal(bytes));
}

TEST(MessageBytesTest, Hello) {
  expect_bytes(sample_hello(),
               "'RMCH' 0200 0000 0100 0000 39000000 0000000000000000"
               "02000000 0200 0000 0300 0700"
               "0102030405060708090a0b0c0d0e0f10"
               "01 00040000");
}

TEST(MessageBytesTest, Welcome) {
  expect_bytes(sample_welcome(),
               "'RMCH' 0200 0000 8000 0000 1a010000 0000000000000000"
               "0200 0000"
               "01000000 'w' 03000000 'm' c3a9 06000000 'cuda:0'"
               "02000000 01000000 'x' 02 20 02 ffffffffffffffff 0300000000000000"
               "         04000000 'text' 00 00 00"
               "01000000 01000000 'y' 06 08 01 0000000000000000"
               "0800000000000000 01"
               "0400000000000000"
               "64000000 00100000 00020000 10000000"
               "04000000"
               "0100 00000000 10000000 0000010000000000 000102030405060708090a0b0c0d0e0f"
               "0200 01000000 11000000 0000020000000000 101112131415161718191a1b1c1d1e1f"
               "0300 02000000 12000000 0000040000000000 202122232425262728292a2b2c2d2e2f"
               "0400 03000000 13000000 0000080000000000 303132333435363738393a3b3c3d3e3f");
}

TEST(MessageBytesTest, Refused) {
  expect_bytes(sample_refused(),
               "'RMCH' 0200 0000 8100 0000 2c000000 0000000000000000"
               "02000000 0200 0000 0300 0500"
               "0a00 02000000 'no'");
}

TEST(MessageBytesTest, Mapped) {
  expect_bytes(MappedMessage{{0, 1, 4095}},
               "'RMCH' 0200 0000 0200 0000 28000000 0000000000000000"
               "03000000 00000000 01000000 ff0f0000");
}

TEST(MessageBytesTest, Segments) {
  expect_bytes(AskSegmentMessage{9, 1 << 20}, "'RMCH' 0200 0000 0900 0000 20000000 0900000000000000 0000100000000000");
  expect_bytes(sample_segments(),
               "'RMCH' 0200 0000 8600 0000 3e000000 0900000000000000"
               "01000000"
               "0300 04000000 01000000 0000000001000000 404142434445464748494a4b4c4d4e4f");
}

TEST(MessageBytesTest, Draining) {
  expect_bytes(DrainingMessage{}, "'RMCH' 0200 0000 8700 0000 18000000 0000000000000000");
}

TEST(MessageBytesTest, Call) {
  expect_bytes(sample_call(),
               "'RMCH' 0200 0000 0300 0000 3f010000 0700000000000000"
               "feffffff 40420f0000000000 01 01 01000000 's'"
               "04000000"
               "01000000 'a' 01 01"
               "01000000 'b' 02 ffffffffffffffff"
               "01000000 'c' 03 000000000000e03f"
               "01000000 'd' 04 01000000 't'"
               "03000000"
               "01 00000000 00 10 02 0200000000000000 0100000000000000 0100 0400000000000000 a0a1a2a3"
               "01 02000000 02 40 09 0100000000000000 0100000000000000 0100000000000000 0100000000000000"
               "                     0100000000000000 0100000000000000 0100000000000000 0100000000000000"
               "                     0300000000000000 0200 1800000000000000"
               "01 03000000 04 10 01 50c3000000000000 0300 a086010000000000"
               "37000000 '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'"
               "05000000 'a=1,b'");
}

TEST(MessageBytesTest, ACallWithNothing) {
  expect_bytes(call_with_nothing(),
               "'RMCH' 0200 0000 0300 0000 36000000 0100000000000000"
               "00000000 ffffffffffffffff 00 00 00000000 00000000 00000000 00000000");
}

TEST(MessageBytesTest, Chunk) {
  expect_bytes(sample_chunk(),
               "'RMCH' 0200 0000 4000 0000 2c000000 0700000000000000"
               "02000000 00f0000000000000 04000000 a0a1a2a3");
}

TEST(MessageBytesTest, Answer) {
  expect_bytes(sample_answer(),
               "'RMCH' 0200 0000 8200 0000 40000000 0700000000000000"
               "0500000000000000 00"
               "01000000"
               "02 01000000 'y' 05 80 01 0000000000000000 0100 0000000000000000");
}

TEST(MessageBytesTest, WhatEndsACall) {
  expect_bytes(FailureMessage{7, ErrorCode::invalid_tensor, "why"},
               "'RMCH' 0200 0000 8300 0000 21000000 0700000000000000 0600 03000000 'why'");
  expect_bytes(CancelMessage{7}, "'RMCH' 0200 0000 0400 0000 18000000 0700000000000000");
  expect_bytes(AnswersReadMessage{7, 16}, "'RMCH' 0200 0000 0500 0000 1c000000 0700000000000000 10000000");
  expect_bytes(CloseSessionMessage{"s"}, "'RMCH' 0200 0000 0600 0000 1d000000 0000000000000000 01000000 's'");
}

TEST(MessageBytesTest, StatusAndHealth) {
  expect_bytes(AskStatusMessage{8}, "'RMCH' 0200 0000 0700 0000 18000000 0800000000000000");
  expect_bytes(sample_status(),
               "'RMCH' 0200 0000 8400 0000 ac000000 0800000000000000"
               "01000000 'w' 01000000 'm' 0400 04000000 'late'"
               "0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000"
               "0600000000000000 0700000000000000 0800000000000000"
               "000000000000e03f 000000000000f03f 000000000000e83f 0000000000000040"
               "0900000000000000 0a00000000000000 00000000000000c0 0b00000000000000");
  expect_bytes(AskHealthMessage{8}, "'RMCH' 0200 0000 0800 0000 18000000 0800000000000000");
  expect_bytes(HealthMessage{8, false, "hot"},
               "'RMCH' 0200 0000 8500 0000 20000000 0800000000000000 00 03000000 'hot'");
}

TEST(MessageBytesTest, EveryErrorCodeHasItsNumber) {
  constexpr std::array kCodes{ErrorCode::model_not_found,
                              ErrorCode::load_failed,
                              ErrorCode::type_mismatch,
                              ErrorCode::out_of_memory,
                              ErrorCode::quota_exceeded,
                              ErrorCode::invalid_tensor,
                              ErrorCode::shared_memory_unavailable,
                              ErrorCode::zero_copy_unavailable,
                              ErrorCode::worker_unavailable,
                              ErrorCode::rejected,
                              ErrorCode::deadline_exceeded,
                              ErrorCode::cancelled,
                              ErrorCode::inference_failed,
                              ErrorCode::protocol_error,
                              ErrorCode::platform_not_supported,
                              ErrorCode::invalid_argument};
  for (std::size_t i = 0; i < kCodes.size(); ++i) {
    const Bytes bytes = RawMessage().header(MessageKind::failure, 7).u16(i + 1).text("why").whole();
    EXPECT_EQ(write_message(FailureMessage{7, kCodes[i], "why"}), bytes) << to_string(kCodes[i]);
    EXPECT_EQ(std::get<FailureMessage>(read_worker_message(bytes)).code, kCodes[i]);
  }
  EXPECT_EQ(to_string(static_cast<ErrorCode>(kCodes.size())), "unknown") << "a code that is not in the protocol";
}

TEST(MessageBytesTest, EveryStateHasItsNumber) {
  constexpr std::array kStates{WorkerState::starting, WorkerState::ready, WorkerState::busy, WorkerState::stopping,
                               WorkerState::terminated};
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    StatusMessage status = sample_status();
    status.info.status = kStates[i];
    const Bytes bytes = write_message(status);
    EXPECT_EQ(bytes.at(24 + 10), static_cast<std::byte>(i + 1)) << to_string(kStates[i]);
    EXPECT_EQ(std::get<StatusMessage>(read_worker_message(bytes)).info.status, kStates[i]);
  }
}

}  // namespace
}  // namespace remotemedia::detail
