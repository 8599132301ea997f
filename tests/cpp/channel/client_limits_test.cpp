// SPDX-License-Identifier: Apache-2.0
//
// What one process may have of a worker, by however many connections.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "channel/raw_client.h"
#include "channel/served_channel.h"
#include "channel/told_model.h"
#include "testing/latch.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::BytesIn;
using detail::CallMessage;
using detail::ChunkMessage;
using detail::FailureMessage;
using detail::MessageTensor;
using testing::Doubler;
using testing::filled;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::ServedChannel;

WorkerConfig with_connections(std::size_t most) {
  WorkerConfig config;
  config.max_connections = most;
  return config;
}

WorkerConfig with_quota(std::size_t bytes) {
  WorkerConfig config;
  config.memory_quota_bytes = bytes;
  return config;
}

TensorBuffer row(std::int64_t size) { return filled(TensorBuffer::allocate({size}, DataType::float32), 3); }

bool is_doubled(const Answer& answer) {
  if (answer.error != nullptr) return false;
  for (const float element : answer.outputs.at("y").span<const float>()) {
    if (element != 6) return false;
  }
  return true;
}

/// Until it is so. A worker hears of what a client lets go a moment later.
template <class Condition>
bool comes(Condition condition) {
  for (const TimePoint until = testing::soon(); !condition();) {
    if (monotonic_clock().now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

TEST(ClientLimitsTest, AProcessHasSoManyConnectionsAndHearsThat) {
  ServedChannel served(std::make_shared<Doubler>(), with_connections(3));
  const auto first = served.connect(std::byte{1});
  const RawClient silent(served);
  std::optional<RawClient> last(std::in_place, served);
  for (int i = 0; i < 20; ++i) {
    const Error error = testing::thrown([&] { served.connect(static_cast<std::byte>(1 + i)); });
    EXPECT_EQ(error.code(), ErrorCode::rejected);
    EXPECT_THAT(error.what(), HasSubstr("has 3 connections to this worker, and max_connections permits no more"));
  }
  EXPECT_TRUE(is_doubled(testing::infer(*first, {{"x", row(10)}})));
  last.reset();
  std::shared_ptr<detail::WorkerConnection> another;
  EXPECT_TRUE(comes([&] {
    try {
      another = served.connect();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::rejected);
    }
    return another != nullptr;
  }));
  EXPECT_TRUE(is_doubled(testing::infer(*another, {{"x", row(10)}})));
}

TEST(ClientLimitsTest, InputsInSharedMemoryAreOfAllItsConnections) {
  ServedChannel served(std::make_shared<Doubler>(), with_quota(std::size_t{8} << 20));
  auto one = served.connect();
  const auto other = served.connect();
  std::optional<TensorBuffer> much = one->allocate({1'500'000}, DataType::float32);
  EXPECT_EQ(much->storage(), StorageKind::shared_memory);
  for (int twice = 0; twice < 2; ++twice) {
    const TensorBuffer x = filled(other->allocate({1'500'000}, DataType::float32), 3);
    EXPECT_EQ(x.storage(), StorageKind::heap);
    EXPECT_TRUE(is_doubled(testing::infer(*other, {{"x", x}})));
  }
  much.reset();
  one.reset();
  EXPECT_TRUE(
      comes([&] { return other->allocate({1'500'000}, DataType::float32).storage() == StorageKind::shared_memory; }));
}

TEST(ClientLimitsTest, OutputsInSharedMemoryAreOfAllItsConnections) {
  ServedChannel served(std::make_shared<Doubler>(), with_quota(500'000));
  const auto one = served.connect();
  const auto other = served.connect();
  std::vector<Answer> kept;
  kept.reserve(4);
  for (int i = 0; i < 4; ++i) kept.push_back(testing::infer(*one, {{"x", row(30'000)}}));
  EXPECT_EQ(kept.back().outputs.at("y").storage(), StorageKind::shared_memory);
  for (int twice = 0; twice < 2; ++twice) {
    const Answer answer = testing::infer(*other, {{"x", row(30'000)}});
    EXPECT_TRUE(is_doubled(answer));
    EXPECT_EQ(answer.outputs.at("y").storage(), StorageKind::heap);
  }
  for (const Answer& answer : kept) EXPECT_TRUE(is_doubled(answer));
  kept.clear();
  EXPECT_TRUE(comes([&] {
    const Answer answer = testing::infer(*other, {{"x", row(30'000)}});
    return is_doubled(answer) && answer.outputs.at("y").storage() == StorageKind::shared_memory;
  }));
}

/// A call with a row of 50,000 float32 in chunks.
void call_in_chunks(RawClient& client, std::uint64_t request) {
  MessageTensor tensor;
  tensor.key = 0U;
  tensor.dtype = DataType::float32;
  tensor.shape = {50'000};
  tensor.bytes_in = BytesIn::chunks;
  CallMessage call;
  call.request = request;
  call.tensors = {tensor};
  client.say(call);
  const std::vector<std::byte> bytes(50'000);
  for (std::uint64_t offset = 0; offset < 200'000; offset += bytes.size()) {
    client.say(ChunkMessage{request, 0, offset, bytes});
  }
}

TEST(ClientLimitsTest, InputsInChunksAreOfAllItsConnectionsUntilTheyAreAnswered) {
  testing::Latch runs(1);
  testing::Latch go_on(1);
  ServedChannel served(std::make_shared<testing::ToldModel>(ModelSignature{.inputs = {{"x", DataType::float32, {-1}}}},
                                                            [&](const TensorMap&, InferenceContext&) {
                                                              runs.count_down();
                                                              go_on.wait();
                                                              return TensorMap{};
                                                            }),
                       with_quota(300'000));
  RawClient one(served);
  RawClient other(served);
  one.shake_hands();
  other.shake_hands();
  call_in_chunks(one, 1);
  runs.wait();
  std::uint64_t request = 1;
  for (RawClient* const client : {&other, &one, &other}) {
    call_in_chunks(*client, ++request);
    const auto failure = client->hear_a<FailureMessage>();
    EXPECT_EQ(failure.request, request);
    EXPECT_EQ(failure.code, ErrorCode::rejected);
    EXPECT_THAT(failure.text, HasSubstr("memory_quota_bytes permits one process 300000 bytes of inputs in pieces"));
  }
  go_on.count_down();
  EXPECT_EQ(one.hear_a<detail::AnswerMessage>().request, 1U);
  call_in_chunks(other, ++request);
  EXPECT_EQ(other.hear_a<detail::AnswerMessage>().request, request);
}

}  // namespace
}  // namespace remotemedia
