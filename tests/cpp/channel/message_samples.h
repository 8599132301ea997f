// SPDX-License-Identifier: Apache-2.0
//
// One message of each kind in which every field says something.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "remotemedia/channel/channel_messages.h"

namespace remotemedia::detail {

template <std::size_t N>
std::array<std::byte, N> counted_from(std::uint8_t first) {
  std::array<std::byte, N> bytes{};
  for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

inline constexpr std::array kSampleBytes{std::byte{0xA0}, std::byte{0xA1}, std::byte{0xA2}, std::byte{0xA3}};

inline HelloMessage sample_hello() {
  return {.versions = {{2, 0}, {3, 7}}, .client = counted_from<16>(1), .shared_memory = true, .ring_depth = 1024};
}

inline WelcomeMessage sample_welcome() {
  const auto segment = [](SegmentRole role, std::uint32_t number) {
    return SegmentGrant{.role = role,
                        .number = number,
                        .generation = number + 0x10,
                        .bytes = std::uint64_t{65'536} << number,
                        .uuid = counted_from<16>(static_cast<std::uint8_t>(16 * number))};
  };
  return {.version = {2, 0},
          .worker_id = "w",
          .model_id = "m\xC3\xA9",
          .device = "cuda:0",
          .signature = {.inputs = {{"x", DataType::float32, {-1, 3}}, {"text", DataType::bytes, {}}},
                        .outputs = {{"y", DataType::boolean, {0}}},
                        .max_batch_size = 8,
                        .stateful = true},
          .max_batch_size = 4,
          .limits = {.unanswered_calls = 100, .inline_bytes = 4096, .ring_depth = 512, .stream_window = 16},
          .segments = {segment(SegmentRole::client_control, 0), segment(SegmentRole::worker_control, 1),
                       segment(SegmentRole::inputs, 2), segment(SegmentRole::outputs, 3)}};
}

inline RefusedMessage sample_refused() {
  return {.versions = {{2, 0}, {3, 5}}, .code = ErrorCode::rejected, .text = "no"};
}

inline CallMessage call_with_nothing() {
  CallMessage call;
  call.request = 1;
  return call;
}

inline CallMessage sample_call() {
  return {.request = 7,
          .priority = -2,
          .time_left = Duration{1'000'000},
          .stream = true,
          .session_id = "s",
          .parameters = {{"a", true}, {"b", std::int64_t{-1}}, {"c", 0.5}, {"d", std::string("t")}},
          .tensors = {{.key = std::uint32_t{0},
                       .dtype = DataType::int16,
                       .shape = {2, 1},
                       .bytes_in = BytesIn::message,
                       .bytes = kSampleBytes},
                      {.key = std::uint32_t{2},
                       .dtype = DataType::float64,
                       .shape = {1, 1, 1, 1, 1, 1, 1, 1, 3},
                       .bytes_in = BytesIn::record,
                       .bytes = {}},
                      {.key = std::uint32_t{3},
                       .dtype = DataType::bfloat16,
                       .shape = {50'000},
                       .bytes_in = BytesIn::chunks,
                       .bytes = {}}},
          .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          .tracestate = "a=1,b"};
}

inline AnswerMessage sample_answer() {
  return {.request = 7,
          .number = 5,
          .last = false,
          .tensors = {{.key = std::string("y"),
                       .dtype = DataType::complex128,
                       .shape = {0},
                       .bytes_in = BytesIn::message,
                       .bytes = {}}}};
}

inline ChunkMessage sample_chunk() { return {.request = 7, .tensor = 2, .offset = 61'440, .bytes = kSampleBytes}; }

inline SegmentsMessage sample_segments() {
  return {.request = 9,
          .segments = {{.role = SegmentRole::inputs,
                        .number = 4,
                        .generation = 1,
                        .bytes = std::uint64_t{1} << 32,
                        .uuid = counted_from<16>(0x40)}}};
}

inline StatusMessage sample_status() {
  return {.request = 8,
          .info = {.worker_id = "w",
                   .model_id = "m",
                   .status = WorkerState::stopping,
                   .reason = "late",
                   .current_load = 1,
                   .queue_depth = 2,
                   .max_batch_size = 3,
                   .total_requests = 4,
                   .failed_requests = 5,
                   .cancelled_requests = 6,
                   .expired_requests = 7,
                   .rejected_requests = 8,
                   .average_batch_size = 0.5,
                   .average_latency_ms = 1.0,
                   .p50_latency_ms = 0.75,
                   .p99_latency_ms = 2.0,
                   .sessions = 9,
                   .shared_memory_bytes = 10,
                   .uptime_seconds = -2.0,
                   .pid = 11}};
}

struct SampleBytes {
  const char* name;
  bool from_client;
  std::vector<std::byte> bytes;
};

/// All of them, as they are written.
inline std::vector<SampleBytes> written_samples() {
  return {{"hello", true, write_message(sample_hello())},
          {"mapped", true, write_message(MappedMessage{{0, 1, 4095}})},
          {"call", true, write_message(sample_call())},
          {"cancel", true, write_message(CancelMessage{7})},
          {"answers_read", true, write_message(AnswersReadMessage{7, 16})},
          {"close_session", true, write_message(CloseSessionMessage{"s"})},
          {"ask_status", true, write_message(AskStatusMessage{8})},
          {"ask_health", true, write_message(AskHealthMessage{8})},
          {"ask_segment", true, write_message(AskSegmentMessage{9, 1 << 20})},
          {"chunk of a call", true, write_message(sample_chunk())},
          {"chunk of an answer", false, write_message(sample_chunk())},
          {"welcome", false, write_message(sample_welcome())},
          {"refused", false, write_message(sample_refused())},
          {"answer", false, write_message(sample_answer())},
          {"failure", false, write_message(FailureMessage{7, ErrorCode::invalid_tensor, "why"})},
          {"status", false, write_message(sample_status())},
          {"health", false, write_message(HealthMessage{8, false, "hot"})},
          {"segments", false, write_message(sample_segments())},
          {"draining", false, write_message(DrainingMessage{})}};
}

/// Reads `bytes` as a message of that side and writes what was read.
inline std::vector<std::byte> read_and_written(bool from_client, const std::vector<std::byte>& bytes) {
  constexpr auto kWrite = [](const auto& message) { return write_message(message); };
  return from_client ? std::visit(kWrite, read_client_message(bytes)) : std::visit(kWrite, read_worker_message(bytes));
}

}  // namespace remotemedia::detail
