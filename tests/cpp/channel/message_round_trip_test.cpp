// SPDX-License-Identifier: Apache-2.0
//
// What is written is what is read, whatever the fields are within their bounds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "channel/message_samples.h"
#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/worker/trace_context.h"
#include "testing/random_source.h"
#include "testing/rounds.h"

namespace remotemedia::detail {
namespace {

template <class M>
M exchanged(const M& message) {
  const std::vector<std::byte> bytes = write_message(message);
  if constexpr (std::is_convertible_v<M, ClientMessage>) {
    EXPECT_EQ(read_and_written(true, bytes), bytes);
    return std::get<M>(read_client_message(bytes));
  } else {
    EXPECT_EQ(read_and_written(false, bytes), bytes);
    return std::get<M>(read_worker_message(bytes));
  }
}

/// As exchanged(), for what has no views of the bytes that are gone then.
template <class M>
void expect_same(const M& message) {
  EXPECT_EQ(exchanged(message), message);
}

TEST(MessageRoundTripTest, EachSampleIsReadAsItWasWritten) {
  expect_same(sample_hello());
  expect_same(sample_welcome());
  expect_same(sample_refused());
  expect_same(sample_segments());
  expect_same(MappedMessage{{0, 1, 4095}});
  expect_same(AskSegmentMessage{9, 1});
  expect_same(DrainingMessage{});
  expect_same(CancelMessage{~std::uint64_t{0}});
  expect_same(AnswersReadMessage{1, 2});
  expect_same(CloseSessionMessage{"s"});
  expect_same(FailureMessage{7, ErrorCode::cancelled, "why"});
  expect_same(AskStatusMessage{1});
  expect_same(AskHealthMessage{1});
  expect_same(HealthMessage{1, true, ""});
}

TEST(MessageRoundTripTest, ASampleWithTensorsIsReadAsItWasWritten) {
  const auto call = write_message(sample_call());
  EXPECT_EQ(std::get<CallMessage>(read_client_message(call)), sample_call());
  const auto answer = write_message(sample_answer());
  EXPECT_EQ(std::get<AnswerMessage>(read_worker_message(answer)), sample_answer());
  const auto chunk = write_message(sample_chunk());
  EXPECT_EQ(std::get<ChunkMessage>(read_client_message(chunk)), sample_chunk());
  EXPECT_EQ(std::get<ChunkMessage>(read_worker_message(chunk)), sample_chunk());
}

TEST(MessageRoundTripTest, AStatusIsReadAsItWasWritten) {
  const WorkerInfo sent = sample_status().info;
  const WorkerInfo info = exchanged(sample_status()).info;
  EXPECT_EQ(info.worker_id, sent.worker_id);
  EXPECT_EQ(info.model_id, sent.model_id);
  EXPECT_EQ(info.status, sent.status);
  EXPECT_EQ(info.reason, sent.reason);
  EXPECT_EQ(info.current_load, sent.current_load);
  EXPECT_EQ(info.queue_depth, sent.queue_depth);
  EXPECT_EQ(info.max_batch_size, sent.max_batch_size);
  EXPECT_EQ(info.total_requests, sent.total_requests);
  EXPECT_EQ(info.failed_requests, sent.failed_requests);
  EXPECT_EQ(info.cancelled_requests, sent.cancelled_requests);
  EXPECT_EQ(info.expired_requests, sent.expired_requests);
  EXPECT_EQ(info.rejected_requests, sent.rejected_requests);
  EXPECT_EQ(info.average_batch_size, sent.average_batch_size);
  EXPECT_EQ(info.average_latency_ms, sent.average_latency_ms);
  EXPECT_EQ(info.p50_latency_ms, sent.p50_latency_ms);
  EXPECT_EQ(info.p99_latency_ms, sent.p99_latency_ms);
  EXPECT_EQ(info.sessions, sent.sessions);
  EXPECT_EQ(info.shared_memory_bytes, sent.shared_memory_bytes);
  EXPECT_EQ(info.uptime_seconds, sent.uptime_seconds);
  EXPECT_EQ(info.pid, sent.pid);
}

TEST(MessageRoundTripTest, AMessageKnowsHowManyHandlesComeWithIt) {
  EXPECT_EQ(sample_welcome().handles(), 6U);
  EXPECT_EQ(WelcomeMessage{}.handles(), 0U);
  EXPECT_EQ(sample_segments().handles(), 1U);
}

TEST(MessageRoundTripTest, EveryDataTypeArrives) {
  for (const DataTypeInfo& info : kDataTypes) {
    WelcomeMessage welcome;
    welcome.signature.outputs = {{"y", info.type, {}}};
    EXPECT_EQ(exchanged(welcome), welcome) << info.name;
    CallMessage call = call_with_nothing();
    call.tensors = {{.key = "x", .dtype = info.type, .shape = {5}, .bytes_in = BytesIn::record, .bytes = {}}};
    if (info.type == DataType::bytes) call.tensors.front().packed_bytes = 23;
    EXPECT_EQ(exchanged(call), call) << info.name;
  }
}

/// Messages whose fields are anything that may be.
class RandomMessages {
 public:
  explicit RandomMessages(testing::RandomSource& random) : random_(random) {}

  template <class T>
  T any_of(std::initializer_list<T> choices) {
    return choices.begin()[random_.below(choices.size())];
  }

  std::uint32_t u32() { return static_cast<std::uint32_t>(random_.edge()); }
  std::uint32_t positive() { return std::max(1U, u32()); }
  std::uint64_t u64() { return static_cast<std::uint64_t>(random_.edge()); }
  std::uint64_t counted() { return u64() % (kMaxCounted + 1); }
  std::uint64_t request() { return std::max<std::uint64_t>(1, u64()); }
  std::int64_t not_negative() { return static_cast<std::int64_t>(counted()); }

  /// NaN is equal to nothing, and has its own test.
  double real() {
    return any_of({0.0, -0.0, 0.1, -1e308, 5e-324, std::numeric_limits<double>::infinity(),
                   -std::numeric_limits<double>::infinity(), static_cast<double>(random_.edge())});
  }

  std::string text(std::size_t most) {
    const std::size_t size = any_of<std::size_t>({0, 1, 7, most});
    std::string text;
    while (text.size() + 4 <= size) text += any_of<const char*>({"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"});
    text.resize(size, random_.once_in(2) ? '\0' : '\x7F');
    return text;
  }

  std::string name(const std::string& beginning = {}) {
    return beginning + text((random_.once_in(10) ? kMaxNameBytes : 12) - beginning.size());
  }

  DataType dtype() { return kDataTypes[random_.below(kDataTypes.size() - 1)].type; }

  /// Few elements, perhaps none.
  Dims shape(std::size_t most_rank) {
    std::vector<std::int64_t> extents(random_.below(most_rank + 1), 1);
    for (int i = 0; i < 3 && !extents.empty(); ++i) extents[random_.below(extents.size())] = random_.between(0, 7);
    return Dims(extents);
  }

  TensorSpec spec(std::size_t number) {
    Dims extents = shape(random_.once_in(20) ? kMaxRank : 4);
    if (!extents.empty())
      extents = extents.with(0, any_of<std::int64_t>({-1, 0, std::numeric_limits<std::int64_t>::max()}));
    return {name(std::to_string(number)), random_.once_in(8) ? DataType::bytes : dtype(), extents};
  }

  ModelSignature signature() {
    ModelSignature signature{
        .inputs = {}, .outputs = {}, .max_batch_size = not_negative(), .stateful = random_.once_in(2)};
    for (std::size_t i = random_.below(5); i > 0; --i) signature.inputs.push_back(spec(i));
    for (std::size_t i = random_.below(5); i > 0; --i) signature.outputs.push_back(spec(i));
    return signature;
  }

  std::vector<ProtocolVersion> versions() {
    std::vector<ProtocolVersion> versions{kProtocolVersion};
    for (std::uint16_t more = static_cast<std::uint16_t>(random_.below(kMaxVersions)); more > 0; --more) {
      const auto major = static_cast<std::uint16_t>(versions.back().major + 1 + random_.below(8000));
      versions.push_back({major, static_cast<std::uint16_t>(random_.edge())});
    }
    return versions;
  }

  std::vector<SegmentGrant> segments(std::size_t most, std::vector<SegmentRole> roles) {
    const std::size_t count = roles.size() + random_.below(most - roles.size() + 1);
    while (roles.size() < count) roles.push_back(any_of({SegmentRole::inputs, SegmentRole::outputs}));
    for (std::size_t i = 1; i < roles.size(); ++i) std::swap(roles[i], roles[random_.below(i + 1)]);
    std::vector<SegmentGrant> segments;
    std::uint32_t number = 0;
    for (const SegmentRole role : roles) {
      SegmentGrant grant{.role = role, .number = number, .generation = u32(), .bytes = 0, .uuid = {}};
      grant.bytes = std::clamp<std::uint64_t>(u64(), kSegmentHeaderBytes + 1, kMaxCounted);
      for (std::byte& byte : grant.uuid) byte = static_cast<std::byte>(random_.bits());
      segments.push_back(grant);
      number += 1 + static_cast<std::uint32_t>(random_.below(500));
    }
    return segments;
  }

  std::vector<std::uint32_t> numbers() {
    std::vector<std::uint32_t> numbers;
    for (const SegmentGrant& segment : segments(kMaxSegmentsOfMessage, {SegmentRole::inputs})) {
      numbers.push_back(segment.number);
    }
    return numbers;
  }

  HelloMessage hello() {
    HelloMessage hello{.versions = versions(), .client = {}, .shared_memory = random_.once_in(2), .ring_depth = 0};
    for (std::byte& byte : hello.client) byte = static_cast<std::byte>(random_.bits() | 1);
    if (hello.shared_memory && random_.once_in(2)) hello.ring_depth = 1U << random_.below(17);
    return hello;
  }

  WelcomeMessage welcome() {
    WelcomeMessage welcome{.version = kProtocolVersion,
                           .worker_id = name(),
                           .model_id = name(),
                           .device = name(),
                           .signature = signature(),
                           .max_batch_size = not_negative(),
                           .limits = {.unanswered_calls = positive(),
                                      .inline_bytes = static_cast<std::uint32_t>(random_.below(kMaxInlineBytes + 1)),
                                      .ring_depth = 0,
                                      .stream_window = positive()},
                           .segments = {}};
    if (random_.once_in(3)) return welcome;
    welcome.limits.ring_depth = 1U << random_.below(17);
    welcome.segments = segments(kMaxSegmentsOfWelcome, {SegmentRole::client_control, SegmentRole::worker_control});
    return welcome;
  }

  Parameters parameters() {
    Parameters parameters;
    const std::size_t count = random_.once_in(20) ? kMaxParameters : random_.below(6);
    while (parameters.size() < count) {
      std::string key = std::to_string(parameters.size());
      if (count <= 6) key = name(key);
      switch (random_.below(4)) {
        case 0:
          parameters[key] = random_.once_in(2);
          break;
        case 1:
          parameters[key] = random_.edge();
          break;
        case 2:
          parameters[key] = real();
          break;
        default:
          parameters[key] = text(count > 6 ? 20 : 8192);
      }
    }
    return parameters;
  }

  std::vector<MessageTensor> tensors() {
    const std::size_t count = random_.once_in(20) ? kMaxTensors : random_.below(5);
    const bool numbered = random_.once_in(2);
    std::vector<MessageTensor> tensors;
    for (std::size_t i = 0; i < count; ++i) {
      MessageTensor tensor{
          .key = std::uint32_t(i), .dtype = dtype(), .shape = {}, .bytes_in = BytesIn::message, .bytes = {}};
      if (!numbered) tensor.key = count > 5 ? std::to_string(1000 + i) : name(std::to_string(i));
      tensor.shape = shape(count > 5 ? 1 : random_.once_in(3) ? kMaxRank : 4);
      if (random_.once_in(8)) tensor.dtype = DataType::bytes;
      const auto elements = static_cast<std::uint64_t>(dense_size(tensor).elements);
      if (tensor.dtype == DataType::bytes && elements > 0) tensor.packed_bytes = 4 * elements + random_.below(20);
      tensor.bytes_in = any_of({BytesIn::message, BytesIn::record, BytesIn::chunks});
      const auto nbytes = static_cast<std::size_t>(dense_size(tensor).nbytes);
      if (nbytes == 0 && tensor.bytes_in == BytesIn::chunks) tensor.bytes_in = BytesIn::record;
      if (tensor.bytes_in == BytesIn::message && nbytes > kElements.size()) tensor.bytes_in = BytesIn::chunks;
      if (tensor.bytes_in == BytesIn::message) tensor.bytes = std::span(kElements).first(nbytes);
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

  CallMessage call() {
    CallMessage call{.request = request(),
                     .priority = static_cast<std::int32_t>(random_.edge()),
                     .time_left = Duration{not_negative()},
                     .stream = random_.once_in(2),
                     .session_id = name(),
                     .parameters = parameters(),
                     .tensors = tensors()};
    if (random_.once_in(3)) call.time_left.reset();
    if (random_.once_in(3)) call.session_id.reset();
    if (random_.once_in(3)) call.traceparent = text(kTraceparentBytes);
    if (random_.once_in(3)) call.tracestate = text(kMaxTracestateBytes);
    return call;
  }

  AnswerMessage answer() { return {request(), u64(), random_.once_in(2), tensors()}; }

  ChunkMessage chunk() {
    ChunkMessage chunk{request(), static_cast<std::uint32_t>(random_.below(kMaxTensors)), 0, {}};
    chunk.bytes = std::span(kElements).first(1 + random_.below(kElements.size()));
    chunk.offset = std::min(counted(), kMaxCounted - chunk.bytes.size());
    return chunk;
  }

  StatusMessage status() {
    return {request(),
            {.worker_id = name(),
             .model_id = name(),
             .status = any_of({WorkerState::starting, WorkerState::ready, WorkerState::busy, WorkerState::stopping,
                               WorkerState::terminated}),
             .reason = text(500),
             .current_load = u64(),
             .queue_depth = u64(),
             .max_batch_size = not_negative(),
             .total_requests = u64(),
             .failed_requests = u64(),
             .cancelled_requests = u64(),
             .expired_requests = u64(),
             .rejected_requests = u64(),
             .average_batch_size = real(),
             .average_latency_ms = real(),
             .p50_latency_ms = real(),
             .p99_latency_ms = real(),
             .sessions = u64(),
             .shared_memory_bytes = u64(),
             .uptime_seconds = real(),
             .pid = random_.edge()}};
  }

  ErrorCode code() { return kErrorCodes.rows[random_.below(kErrorCodes.rows.size())].value; }

 private:
  static constexpr auto kElements = [] {
    std::array<std::byte, 4096> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
    return bytes;
  }();

  testing::RandomSource& random_;
};

TEST(MessageRoundTripTest, AnythingWithinItsBoundsIsReadAsItWasWritten) {
  testing::RandomSource source;
  SCOPED_TRACE(source.trace());
  RandomMessages random(source);
  for (std::uint64_t i = testing::slow_rounds(1000); i > 0; --i) {
    expect_same(random.hello());
    expect_same(random.welcome());
    expect_same(RefusedMessage{random.versions(), random.code(), random.text(300)});
    expect_same(SegmentsMessage{random.u64(), random.segments(kMaxSegmentsOfMessage, {SegmentRole::outputs})});
    expect_same(MappedMessage{random.numbers()});
    expect_same(AskSegmentMessage{random.request(), std::max<std::uint64_t>(1, random.counted())});
    expect_same(CancelMessage{random.request()});
    expect_same(AnswersReadMessage{random.request(), random.positive()});
    expect_same(CloseSessionMessage{random.name()});
    expect_same(FailureMessage{random.request(), random.code(), random.text(kMaxTextBytes)});
    expect_same(HealthMessage{random.request(), source.once_in(2), random.text(300)});
    (void)exchanged(random.status());

    const CallMessage call = random.call();
    const auto call_bytes = write_message(call);
    EXPECT_EQ(std::get<CallMessage>(read_client_message(call_bytes)), call);
    EXPECT_EQ(read_and_written(true, call_bytes), call_bytes);
    const AnswerMessage answer = random.answer();
    const auto answer_bytes = write_message(answer);
    EXPECT_EQ(std::get<AnswerMessage>(read_worker_message(answer_bytes)), answer);
    const ChunkMessage chunk = random.chunk();
    const auto chunk_bytes = write_message(chunk);
    EXPECT_EQ(std::get<ChunkMessage>(read_client_message(chunk_bytes)), chunk);
    EXPECT_EQ(std::get<ChunkMessage>(read_worker_message(chunk_bytes)), chunk);
  }
}

}  // namespace
}  // namespace remotemedia::detail
