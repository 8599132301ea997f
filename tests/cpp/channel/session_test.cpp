// SPDX-License-Identifier: Apache-2.0
//
// Calls that go through a session.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/served_channel.h"
#include "channel/told_model.h"
#include "remotemedia/base/error.h"
#include "testing/latch.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::Call;
using detail::ReceivedBy;
using testing::Doubler;
using testing::filled;
using testing::Inbox;
using testing::ServedChannel;

TEST(SessionTest, WhatAClientWritesInPlaceIsReadAndAnsweredInPlace) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto client = served.connect();
  EXPECT_EQ(client->worker().model_id, "doubler");
  const TensorBuffer x = filled(client->allocate({1 << 20}, DataType::float32), 21);
  EXPECT_EQ(x.storage(), StorageKind::shared_memory);
  for (int twice = 0; twice < 2; ++twice) {
    const Answer answer = testing::infer(*client, {{"x", x}});
    ASSERT_EQ(answer.error, nullptr);
    const TensorBuffer& y = answer.outputs.at("y");
    EXPECT_EQ(y.storage(), StorageKind::shared_memory);
    EXPECT_TRUE(y.read_only());
    EXPECT_EQ(y.span<const float>().back(), 42);
  }
}

TEST(SessionTest, TensorsOfAnySizeArrive) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto client = served.connect();
  for (const std::int64_t size : {0, 1, 63, 1024, 1025, 100'000, 10'000'000}) {
    const TensorBuffer x = filled(TensorBuffer::allocate({size}, DataType::float32), 4);
    const Answer answer = testing::infer(*client, {{"x", x}});
    ASSERT_EQ(answer.error, nullptr) << size;
    const TensorBuffer& y = answer.outputs.at("y");
    ASSERT_EQ(y.shape(), x.shape());
    if (size > 0) {
      EXPECT_EQ(y.span<const float>().back(), 8) << size;
    }
    EXPECT_EQ(y.storage(), size > 1024 ? StorageKind::shared_memory : StorageKind::heap) << size;
  }
}

TEST(SessionTest, OutputsOutliveClientAndWorker) {
  TensorBuffer y;
  {
    ServedChannel served(std::make_shared<Doubler>());
    const auto client = served.connect();
    y = testing::infer(*client, {{"x", filled(TensorBuffer::allocate({5000}, DataType::float32), 1)}}).outputs.at("y");
  }
  EXPECT_EQ(y.span<const float>()[4999], 2);
}

TEST(SessionTest, ManyCallsAreUnderWayAtOnce) {
  WorkerConfig config;
  config.max_concurrent_requests = 500;
  ServedChannel served(std::make_shared<Doubler>(16), config);
  const auto client = served.connect();
  std::vector<Inbox> inboxes(500);
  for (std::size_t i = 0; i < inboxes.size(); ++i) {
    Call call;
    call.inputs = {{"x", filled(TensorBuffer::allocate({1, 2000}, DataType::float32), static_cast<float>(i))}};
    call.on_answer = inboxes[i].on_answer();
    client->submit(std::move(call), ReceivedBy::connection);
  }
  for (std::size_t i = 0; i < inboxes.size(); ++i) {
    const Answer answer = inboxes[i].wait_for();
    ASSERT_EQ(answer.error, nullptr);
    EXPECT_EQ(answer.outputs.at("y").span<const float>()[1999], static_cast<float>(2 * i));
  }
}

TEST(SessionTest, AWrongCallFailsAndTheNextIsServed) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto client = served.connect();
  for (int twice = 0; twice < 2; ++twice) {
    const Answer wrong = testing::infer(*client, {{"z", TensorBuffer::allocate({3}, DataType::float32)}});
    EXPECT_EQ(testing::thrown<Error>([&] { std::rethrow_exception(wrong.error); }).code(), ErrorCode::invalid_tensor);
    EXPECT_EQ(testing::infer(*client, {{"x", TensorBuffer::allocate({3}, DataType::float32)}}).error, nullptr);
  }
}

TEST(SessionTest, StatusAndHealthAreTold) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto client = served.connect();
  testing::infer(*client, {{"x", TensorBuffer::allocate({3}, DataType::float32)}});
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(client->status(TimePoint::max()).total_requests, 1U);
    EXPECT_TRUE(client->health(TimePoint::max()).healthy);
  }
}

/// The worker's clock stands still: it never says that a call is late.
TEST(SessionTest, CallsEndInTheirTimeAlthoughTheWorkerDoesNotSayIt) {
  const ManualClock stands_still;
  WorkerConfig config;
  config.clock = &stands_still;
  testing::Latch let_go(1);
  ServedChannel served(std::make_shared<testing::ToldModel>(Doubler().signature(),
                                                            [&](const TensorMap& inputs, InferenceContext&) {
                                                              let_go.wait();
                                                              return TensorMap{{"y", inputs.at("x")}};
                                                            }),
                       config);
  const auto client = served.connect();
  std::vector<Inbox> inboxes(4);
  for (std::size_t i = 0; i < inboxes.size(); ++i) {
    Call call;
    call.inputs = {{"x", TensorBuffer::allocate({3}, DataType::float32)}};
    call.deadline = later(monotonic_clock().now(), std::chrono::milliseconds{40 - 10 * static_cast<int>(i)});
    call.stream = i % 2 == 1;
    call.on_answer = inboxes[i].on_answer();
    client->submit(std::move(call), ReceivedBy::connection);
  }
  for (const Inbox& inbox : inboxes) {
    const Answer answer = inbox.wait_for();
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(answer.error); }), ErrorCode::deadline_exceeded);
  }
  let_go.count_down();
  EXPECT_TRUE(client->health(TimePoint::max()).healthy);
}

TEST(SessionTest, WhatWaitsEndsWhenTheWorkerStops) {
  auto served = std::make_unique<ServedChannel>(std::make_shared<Doubler>());
  const auto client = served->connect();
  served.reset();
  const TensorMap inputs{{"x", TensorBuffer::allocate({3}, DataType::float32)}};
  const Answer answer = testing::infer(*client, inputs);
  EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(answer.error); }), ErrorCode::worker_unavailable);
  EXPECT_TRUE(client->is_over());
  EXPECT_EQ(testing::code_thrown([&] { testing::infer(*client, inputs); }), ErrorCode::worker_unavailable);
}

}  // namespace
}  // namespace remotemedia
