// SPDX-License-Identifier: Apache-2.0
//
// Calls that say more than a record has room for, and tensors that lie as nobody expects.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "channel/served_channel.h"
#include "channel/told_model.h"
#include "remotemedia/base/error.h"
#include "testing/event_count.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::Call;
using detail::ReceivedBy;
using testing::Counter;
using testing::filled;
using testing::giver;
using testing::Inbox;
using testing::infer;
using testing::ServedChannel;
using testing::ToldModel;

const ModelSignature kNothingDeclared;

TensorBuffer counted(TensorBuffer tensor) {
  std::iota(tensor.span<std::int32_t>().begin(), tensor.span<std::int32_t>().end(), 0);
  return tensor;
}

bool same(const TensorBuffer& a, const TensorBuffer& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const TensorBuffer x = a.copy();
  const TensorBuffer y = b.copy();
  return x.nbytes() == 0 || std::memcmp(x.data(), y.data(), x.nbytes()) == 0;
}

ErrorCode code_of(const Answer& answer) {
  return testing::code_thrown([&] { std::rethrow_exception(answer.error); });
}

/// Calls and waits, also where the call says more than its inputs.
Answer call(detail::WorkerConnection& connection, Call call) {
  Inbox inbox;
  call.on_answer = inbox.on_answer();
  const std::uint64_t number = connection.submit(std::move(call), ReceivedBy::caller);
  EXPECT_TRUE(connection.receive_until(
      number, ReceivedBy::caller, [&] { return inbox.count() > 0; }, testing::soon()));
  return inbox.wait_for();
}

TEST(SessionCallsTest, ACallThatMayNotWaitIsNotSentWhereMemoryHasToBeAskedFor) {
  ServedChannel served(std::make_shared<testing::Doubler>());
  const auto client = served.connect();
  Inbox inbox;
  const auto send = [&](const TensorBuffer& x) {
    Call call;
    call.on_answer = inbox.on_answer();
    return client->submit({{"x", x}}, std::move(call), ReceivedBy::connection, detail::Waiting::refused);
  };
  const TensorBuffer large = testing::filled(TensorBuffer::allocate({1'000'000}, DataType::float32), 3);
  EXPECT_EQ(send(large), 0U);
  EXPECT_NE(send(testing::filled(TensorBuffer::allocate({2}, DataType::float32), 3)), 0U);
  inbox.wait_for(0);
  EXPECT_EQ(testing::infer(*client, {{"x", large}}).error, nullptr);
  EXPECT_NE(send(large), 0U) << "there is memory now";
  inbox.wait_for(1);
  EXPECT_EQ(inbox.count(), 2U);
  EXPECT_EQ(client->status(testing::soon()).total_requests, 3U);
}

TEST(SessionCallsTest, WhatACallSaysBesideItsTensorsArrives) {
  Parameters seen;
  std::string session;
  ServedChannel served(std::make_shared<ToldModel>(kNothingDeclared, [&](const TensorMap& inputs, InferenceContext& c) {
    seen = *c.requests()[0].parameters;
    session = c.requests()[0].session_id != nullptr ? *c.requests()[0].session_id : "none";
    return inputs;
  }));
  const auto client = served.connect();
  const Parameters said{{"count", std::int64_t{-3}}, {"flag", true}, {"", std::string("\0empty", 6)}, {"half", 0.5}};
  for (const std::int64_t size : {3, 100'000}) {
    Call one;
    one.inputs = {{"x", TensorBuffer::allocate({size}, DataType::float32)}};
    one.parameters = said;
    one.session_id = "a session";
    EXPECT_EQ(call(*client, std::move(one)).error, nullptr);
    EXPECT_EQ(seen, said);
    EXPECT_EQ(session, "a session");
  }
  infer(*client, {{"x", TensorBuffer::allocate({3}, DataType::float32)}});
  EXPECT_EQ(session, "none");
}

TEST(SessionCallsTest, TensorsOfAnyNameGoToAModelThatDeclaresNone) {
  ServedChannel served(giver());
  const auto client = served.connect();
  TensorMap inputs{{"", TensorBuffer::allocate({}, DataType::float64)},
                   {std::string("\0\n", 2), counted(TensorBuffer::allocate({2, 3}, DataType::int32))},
                   {"large", counted(TensorBuffer::allocate({50'000}, DataType::int32))},
                   {"none of it", TensorBuffer::allocate({4, 0}, DataType::int8)}};
  std::memset(inputs.at("").mutable_data(), 7, 8);
  for (int twice = 0; twice < 2; ++twice) {
    const Answer answer = infer(*client, inputs);
    ASSERT_EQ(answer.error, nullptr);
    ASSERT_EQ(answer.outputs.size(), inputs.size());
    for (const auto& [name, tensor] : inputs) EXPECT_TRUE(same(answer.outputs.at(name), tensor)) << name;
  }
  EXPECT_EQ(infer(*client, {}).error, nullptr) << "nothing is a call too";
}

TEST(SessionCallsTest, StridesOfAnyKindArriveAsTheElementsThatTheyReach) {
  ServedChannel served(giver());
  const auto client = served.connect();
  for (const bool in_place : {true, false}) {
    const Dims shape{60, 70};
    const TensorBuffer base =
        counted(in_place ? client->allocate(shape, DataType::int32) : TensorBuffer::allocate(shape, DataType::int32));
    const std::vector<TensorBuffer> tensors{
        base.transpose(),
        base.slice(0, {.step = -1}),
        base.slice(1, {.begin = 3, .end = 60, .step = 7}),
        base.slice(0, {.step = -7}).transpose(),
        base.slice(0, {.begin = 1, .end = 2}).broadcast_to({500, 70}),
        base.select(0, 5).select(0, 5).broadcast_to({2, 3, 4}),
        base.slice(0, {.begin = 7, .end = 7}),
    };
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Answer answer = infer(*client, {{"x", tensors[i]}});
      ASSERT_EQ(answer.error, nullptr);
      EXPECT_TRUE(same(answer.outputs.at("x"), tensors[i])) << i << (in_place ? " in place" : " of the heap");
    }
  }
}

TEST(SessionCallsTest, MoreAxesThanARecordHasArrive) {
  ServedChannel served(giver());
  const auto client = served.connect();
  for (int times = 0; times < 50; ++times) {  // what was lent and not sent would fill the memory for inputs
    const TensorBuffer base = counted(client->allocate({2, 2, 2, 2, 2, 2, 2, 2, 2, 64, 2}, DataType::int32));
    for (const TensorBuffer& tensor :
         {base, base.transpose(), base.broadcast_to({2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 64, 2})}) {
      const Answer answer = infer(*client, {{"x", tensor}});
      ASSERT_EQ(answer.error, nullptr);
      ASSERT_TRUE(same(answer.outputs.at("x"), tensor)) << to_string(tensor.strides());
    }
  }
  EXPECT_LT(served.listener().shared_memory_bytes(), std::size_t{40} << 20);
}

TEST(SessionCallsTest, WholeNumbersAreReadFromACopyAndOthersInPlace) {
  std::vector<StorageKind> storage;
  ServedChannel served(std::make_shared<ToldModel>(kNothingDeclared, [&](const TensorMap& inputs, InferenceContext&) {
    storage.clear();
    for (const auto& [name, tensor] : inputs) storage.push_back(tensor.storage());
    for (const auto& [name, tensor] : inputs) EXPECT_TRUE(tensor.read_only()) << name;
    return inputs;
  }));
  const auto client = served.connect();
  TensorMap inputs;
  for (const DataType dtype :
       {DataType::boolean, DataType::int8, DataType::int64, DataType::float32, DataType::uint8}) {
    const TensorBuffer tensor = client->allocate({3000}, dtype);
    std::memset(tensor.mutable_data(), 1, tensor.nbytes());
    inputs.emplace(std::to_string(inputs.size()), tensor);
  }
  for (int twice = 0; twice < 2; ++twice) {
    const Answer answer = infer(*client, inputs);
    ASSERT_EQ(answer.error, nullptr);
    EXPECT_EQ(storage, (std::vector{StorageKind::heap, StorageKind::heap, StorageKind::heap, StorageKind::shared_memory,
                                    StorageKind::shared_memory}));
    for (const auto& [name, tensor] : inputs) EXPECT_TRUE(same(answer.outputs.at(name), tensor)) << name;
  }
}

TEST(SessionCallsTest, WholeNumbersThatRepeatCountAsOftenAsTheyAreRead) {
  WorkerConfig config;
  config.memory_quota_bytes = std::size_t{1} << 20;
  ServedChannel served(giver(), config);
  const auto client = served.connect();
  const TensorBuffer one = counted(client->allocate({1, 1}, DataType::int32));
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(code_of(infer(*client, {{"x", one.broadcast_to({std::int64_t{1} << 40, 2})}})),
              ErrorCode::quota_exceeded);
    EXPECT_EQ(infer(*client, {{"x", one.broadcast_to({100, 100})}}).error, nullptr);
  }
}

TEST(SessionCallsTest, AnOutputMayBeAnInputOrTwoOrOneOfAnotherClient) {
  TensorBuffer kept;
  ServedChannel served(std::make_shared<ToldModel>(kNothingDeclared, [&](const TensorMap& inputs, InferenceContext& c) {
    const TensorBuffer& x = inputs.at("x");
    if (!kept) {
      kept = c.allocate(x.shape(), x.dtype());
      kept.assign(x);
    }
    return TensorMap{{"input", x}, {"kept", kept}, {"kept again", kept}};
  }));
  const auto first = served.connect(std::byte{1});
  const auto second = served.connect(std::byte{2});
  const TensorBuffer of_first = filled(TensorBuffer::allocate({4000}, DataType::float32), 1);
  const TensorBuffer of_second = filled(TensorBuffer::allocate({4000}, DataType::float32), 2);
  for (int times = 0; times < 100; ++times) {
    for (const auto& [client, x] : {std::pair{first, of_first}, std::pair{second, of_second}}) {
      const Answer answer = infer(*client, {{"x", x}});
      ASSERT_EQ(answer.error, nullptr);
      EXPECT_TRUE(same(answer.outputs.at("input"), x));
      EXPECT_TRUE(same(answer.outputs.at("kept"), of_first));
      EXPECT_TRUE(same(answer.outputs.at("kept again"), of_first));
    }
  }
  EXPECT_LT(served.listener().shared_memory_bytes(), std::size_t{30} << 20) << "what was read came back";
}

TEST(SessionCallsTest, ACallThatFitsNoMessageFailsAndItsMemoryComesBack) {
  ServedChannel served(giver());
  const auto client = served.connect();
  for (int times = 0; times < 100; ++times) {
    Call large;
    large.inputs = {{"x", client->allocate({200'000}, DataType::uint8)}};
    for (int i = 0; i < 3; ++i) large.parameters["text " + std::to_string(i)] = std::string(30'000, 'x');
    large.on_answer = [](const Answer&) { ADD_FAILURE() << "it was refused"; };
    EXPECT_EQ(testing::code_thrown([&] { client->submit(std::move(large), ReceivedBy::caller); }),
              ErrorCode::invalid_argument);
  }
  EXPECT_LT(served.listener().shared_memory_bytes(), std::size_t{8} << 20);
}

TEST(SessionCallsTest, AnAnswerThatFitsNoMessageFailsTheCall) {
  ServedChannel served(std::make_shared<ToldModel>(kNothingDeclared, [&](const TensorMap&, InferenceContext& c) {
    TensorMap outputs;
    for (int i = 0; i < 100; ++i) {
      outputs.emplace(std::to_string(i) + std::string(1000, 'x'), c.allocate({100, 100}, DataType::uint8));
    }
    return outputs;
  }));
  const auto client = served.connect();
  for (int times = 0; times < 20; ++times) EXPECT_EQ(code_of(infer(*client, {})), ErrorCode::invalid_argument);
  EXPECT_LT(served.listener().shared_memory_bytes(), std::size_t{8} << 20) << "what was not sent came back";
}

TEST(SessionCallsTest, AStreamWaitsForItsReaderAndEndsInOrder) {
  WorkerConfig config;
  config.stream_window = 4;
  ServedChannel served(std::make_shared<Counter>(), config);
  const auto client = served.connect();
  for (int twice = 0; twice < 2; ++twice) {
    Inbox inbox;
    Call stream;
    stream.stream = true;
    const TensorBuffer last = TensorBuffer::allocate({}, DataType::int64);
    last.span<std::int64_t>()[0] = 50;
    stream.inputs = {{"x", last}};
    stream.on_answer = inbox.on_answer();
    const std::uint64_t number = client->submit(std::move(stream), ReceivedBy::connection);
    for (std::size_t i = 0; i < 50; ++i) {
      const Answer answer = inbox.wait_for(i);
      ASSERT_EQ(answer.error, nullptr);
      ASSERT_FALSE(answer.last);
      EXPECT_EQ(answer.outputs.at("y").span<const std::int64_t>()[0], static_cast<std::int64_t>(i) + 1);
      EXPECT_LE(inbox.count(), i + 4) << "beyond the window";
      client->answers_read(number, 1);
    }
    const Answer end = inbox.wait_for(50);
    EXPECT_TRUE(end.last);
    EXPECT_TRUE(end.outputs.empty());
    EXPECT_EQ(end.error, nullptr);
  }
}

class HeldCallsTest : public ::testing::Test {
 protected:
  HeldCallsTest()
      : served_(std::make_shared<ToldModel>(kNothingDeclared, [this](const TensorMap& in, InferenceContext& c) {
          entered_.add();
          if (in.contains("hold")) {
            while (!c.cancelled() && let_go_.count() == 0) std::this_thread::yield();
          }
          const std::lock_guard lock(mutex_);
          if (in.contains("order")) order_.push_back(in.at("order").copy().span<const std::int32_t>()[0]);
          return TensorMap{};
        })) {}
  ~HeldCallsTest() override { let_go_.add(); }

  std::uint64_t submit(detail::WorkerConnection& client, const std::string& name, const Inbox& inbox, Call call = {}) {
    call.inputs = {{name, filled_number(static_cast<std::int32_t>(call.priority))}};
    call.on_answer = inbox.on_answer();
    return client.submit(std::move(call), ReceivedBy::connection);
  }
  static TensorBuffer filled_number(std::int32_t value) {
    const TensorBuffer tensor = TensorBuffer::allocate({1}, DataType::int32);
    tensor.span<std::int32_t>()[0] = value;
    return tensor;
  }
  void wait_for_queued(std::size_t count) {
    while (served_.core().status().queue_depth < count) std::this_thread::yield();
  }

  testing::EventCount entered_;
  testing::EventCount let_go_;
  std::mutex mutex_;
  std::vector<std::int32_t> order_;
  ServedChannel served_;
};

TEST_F(HeldCallsTest, ACallIsCancelledWhileItWaitsAndWhileItRuns) {
  const auto client = served_.connect();
  for (int twice = 1; twice <= 2; ++twice) {
    Inbox running;
    Inbox waiting;
    const std::uint64_t runs = submit(*client, "hold", running);
    entered_.wait_for(twice);
    const std::uint64_t waits = submit(*client, "order", waiting);
    client->cancel(waits);
    EXPECT_EQ(code_of(waiting.wait_for()), ErrorCode::cancelled);
    EXPECT_EQ(running.count(), 0U);
    client->cancel(runs);
    EXPECT_EQ(code_of(running.wait_for()), ErrorCode::cancelled);
    client->cancel(runs);  // it has ended: nothing happens
  }
  EXPECT_TRUE(order_.empty());
  EXPECT_FALSE(client->is_over());
}

TEST_F(HeldCallsTest, PriorityAndDeadlineArrive) {
  const auto client = served_.connect();
  Inbox running;
  submit(*client, "hold", running);
  entered_.wait_for(1);
  std::vector<Inbox> inboxes(4);
  Inbox late;
  Call too_late;
  too_late.deadline = later(monotonic_clock().now(), std::chrono::milliseconds{1});
  submit(*client, "order", late, std::move(too_late));
  EXPECT_EQ(code_of(late.wait_for()), ErrorCode::deadline_exceeded);
  for (int i = 0; i < 4; ++i) {
    Call one;
    one.priority = i % 2 == 0 ? i : -i;
    submit(*client, "order", inboxes[static_cast<std::size_t>(i)], std::move(one));
  }
  wait_for_queued(4);
  let_go_.add();
  for (const Inbox& inbox : inboxes) EXPECT_EQ(inbox.wait_for().error, nullptr);
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(order_, (std::vector<std::int32_t>{2, 0, -1, -3}));
}

TEST_F(HeldCallsTest, ACallOfManyPiecesIsSentWhileAnotherIsWaitedFor) {
  WorkerConfig config;
  config.memory_quota_bytes = std::size_t{11} << 20;
  testing::EventCount entered;
  testing::EventCount let_go;
  ServedChannel served(std::make_shared<ToldModel>(kNothingDeclared,
                                                   [&](const TensorMap& inputs, InferenceContext&) {
                                                     entered.add();
                                                     if (inputs.contains("hold")) let_go.wait_for(1);
                                                     return TensorMap{};
                                                   }),
                       config);
  const auto client = served.connect();
  const TensorBuffer fills_the_quota = client->allocate({6 << 20}, DataType::uint8);
  EXPECT_EQ(fills_the_quota.storage(), StorageKind::shared_memory);
  Inbox held;
  submit(*client, "hold", held);
  entered.wait_for(1);
  Inbox in_pieces;
  Call large;
  large.inputs = {{"x", TensorBuffer::allocate({10 << 20}, DataType::uint8)}};
  large.on_answer = in_pieces.on_answer();
  client->submit(std::move(large), ReceivedBy::connection);
  while (served.core().status().queue_depth < 1) std::this_thread::yield();
  let_go.add();
  EXPECT_EQ(in_pieces.wait_for().error, nullptr);
  EXPECT_EQ(held.wait_for().error, nullptr);
}

}  // namespace
}  // namespace remotemedia
