// SPDX-License-Identifier: Apache-2.0
//
// A worker with rings that lies: its client's calls end with an error and its session with them, what is about no call
// is nothing, and nothing hangs.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "channel/descriptor_lies.h"
#include "channel/ring_worker.h"
#include "channel/served_channel.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::AnswerMessage;
using detail::BytesIn;
using detail::MessageTensor;
using detail::SegmentRole;
using detail::SegmentsMessage;
using testing::DescriptorLie;
using testing::Inbox;
using testing::RingWorker;

/// Calls, and says which number that has.
std::uint64_t call(RingWorker& worker, const Inbox& inbox) {
  detail::Call call;
  call.inputs = {{"x", TensorBuffer::allocate({4}, DataType::float32)}};
  call.on_answer = inbox.on_answer();
  return worker.client().submit(std::move(call), detail::ReceivedBy::caller);
}

Answer answer_of(RingWorker& worker, const Inbox& inbox) {
  worker.client().receive_until([&] { return inbox.count() > 0; }, TimePoint::max());
  return inbox.wait_for();
}

ErrorCode code_of(const Answer& answer) {
  return testing::code_thrown([&] {
    if (answer.error != nullptr) std::rethrow_exception(answer.error);
  });
}

/// A call that is answered with `lie` ends with protocol_error, and its session with it.
void expect_ends(const std::function<void(RingWorker&, std::uint64_t request)>& lie, bool two_outputs = false) {
  for (int twice = 0; twice < 2; ++twice) {
    RingWorker worker(two_outputs);
    const Inbox inbox;
    lie(worker, call(worker, inbox));
    EXPECT_EQ(code_of(answer_of(worker, inbox)), ErrorCode::protocol_error);
    EXPECT_TRUE(worker.client().is_over());
  }
}

void expect_answered(RingWorker& worker) {
  const Inbox inbox;
  worker.push(RingWorker::output(call(worker, inbox)));
  const Answer answer = answer_of(worker, inbox);
  ASSERT_EQ(answer.error, nullptr);
  EXPECT_EQ(answer.outputs.at("y").shape(), Dims{10});
  EXPECT_EQ(inbox.count(), 1U);
}

TEST(HostileRingWorkerTest, AWrongFieldOfARecordEndsTheSession) {
  const auto kind = [](DescriptorKind other) {
    return [other](TensorDescriptor& d) { d.kind = static_cast<std::uint8_t>(other); };
  };
  std::vector<DescriptorLie> lies = testing::descriptor_lies();
  lies.insert(lies.end(), {
                              {"kind submit", kind(DescriptorKind::submit)},
                              {"kind error", kind(DescriptorKind::error)},
                              {"kind cancel", kind(DescriptorKind::cancel)},
                              {"kind exported", kind(DescriptorKind::exported)},
                              {"the client's control", [](TensorDescriptor& d) { d.segment = 0; }},
                              {"its own control", [](TensorDescriptor& d) { d.segment = 1; }},
                              {"the client's inputs", [](TensorDescriptor& d) { d.segment = 2; }},
                              {"a segment that did not come", [](TensorDescriptor& d) { d.segment = 4; }},
                          });
  for (const auto& [name, lie] : lies) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, name);
    RingWorker worker;
    expect_answered(worker);
    const Inbox inbox;
    TensorDescriptor output = RingWorker::output(call(worker, inbox));
    lie(output);
    worker.push(output);
    EXPECT_EQ(code_of(answer_of(worker, inbox)), ErrorCode::protocol_error);
    EXPECT_TRUE(worker.client().is_over());
  }
}

TEST(HostileRingWorkerTest, RecordsThatDoNotFollowEachOtherEndTheSession) {
  const auto push = [](RingWorker& worker, std::uint64_t request, std::uint32_t ordinal, std::uint32_t count) {
    TensorDescriptor output = RingWorker::output(request);
    output.tensor_ordinal = ordinal;
    output.tensor_count = count;
    worker.push(output);
  };
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 0, 2), push(worker, n, 0, 2); }, true);
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 1, 2); }, true);
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 0, 3), push(worker, n, 2, 3); }, true);
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 0, 2), push(worker, n + 1, 1, 2); }, true);
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 0, 2), push(worker, n, 1, 3); }, true);
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n, 0, 2), push(worker, n + 1, 0, 1); }, true);
}

TEST(HostileRingWorkerTest, AnAnswerOfTooManyOrTooFewOutputsIsInvalid) {
  for (const bool two_outputs : {false, true}) {
    for (int twice = 0; twice < 2; ++twice) {
      RingWorker worker(two_outputs);
      const Inbox inbox;
      const std::uint64_t number = call(worker, inbox);
      const std::uint32_t count = two_outputs ? 1 : 2;
      for (std::uint32_t i = 0; i < count; ++i) {
        TensorDescriptor output = RingWorker::output(number);
        output.tensor_ordinal = i;
        output.tensor_count = count;
        worker.push(output);
      }
      EXPECT_EQ(code_of(answer_of(worker, inbox)), ErrorCode::invalid_tensor);
    }
  }
}

TEST(HostileRingWorkerTest, RecordsOfCallsThatAreNoneOrAreAnsweredAreNothing) {
  RingWorker worker;
  const Inbox inbox;
  const std::uint64_t number = call(worker, inbox);
  for (const std::uint64_t other : {std::uint64_t{0}, number + 1, ~std::uint64_t{0}}) {
    EXPECT_TRUE(worker.push(RingWorker::output(other)));
  }
  worker.push(RingWorker::output(number));
  worker.push(RingWorker::output(number));
  EXPECT_EQ(answer_of(worker, inbox).error, nullptr);
  for (int twice = 0; twice < 2; ++twice) expect_answered(worker);
  EXPECT_EQ(inbox.count(), 1U) << "a call is answered once";
}

TEST(HostileRingWorkerTest, AMessageWhoseRecordsAreNotItsTensorsEndsTheSession) {
  const auto say = [](RingWorker& worker, std::uint64_t request, const Dims& shape) {
    MessageTensor tensor;
    tensor.key = 0U;
    tensor.dtype = DataType::float32;
    tensor.shape = shape;
    tensor.bytes_in = BytesIn::record;
    worker.say(AnswerMessage{request, 0, true, {tensor}});
  };
  const auto push = [](RingWorker& worker, std::uint64_t request) {
    TensorDescriptor output = RingWorker::output(request);
    output.flags = detail::kTensorOfMessage;
    worker.push(output);
  };
  expect_ends([&](RingWorker& worker, std::uint64_t n) { say(worker, n, {10}); });
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n + 1), say(worker, n, {10}); });
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n), say(worker, n, {11}); });
  expect_ends([&](RingWorker& worker, std::uint64_t n) { push(worker, n), say(worker, n, {1, 10}); });
  expect_ends([&](RingWorker& worker, std::uint64_t n) {
    push(worker, n), say(worker, n, {1, 1, 1, 1, 1, 1, 1, 1, 10});
  });
  RingWorker honest;
  const Inbox inbox;
  const std::uint64_t number = call(honest, inbox);
  push(honest, number);
  say(honest, number, {10});
  EXPECT_EQ(answer_of(honest, inbox).error, nullptr);
}

TEST(HostileRingWorkerTest, TensorsWithoutTheirMessagesAreNotCollectedForEver) {
  RingWorker worker;
  const Inbox inbox;
  TensorDescriptor output = RingWorker::output(call(worker, inbox));
  output.flags = detail::kTensorOfMessage;
  while (!worker.client().is_over()) {
    worker.push(output);
    worker.client().receive_until([&] { return inbox.count() > 0; },
                                  later(monotonic_clock().now(), std::chrono::microseconds{10}));
    ++output.request_id;
    ASSERT_LT(output.request_id, 10'000U);
  }
  EXPECT_EQ(code_of(inbox.wait_for()), ErrorCode::protocol_error);
}

/// A call with most of the memory that there is for inputs, which ends before it is answered.
std::uint64_t call_late(RingWorker& worker) {
  const Inbox inbox;
  detail::Call call;
  call.inputs = {{"x", worker.client().allocate({7000}, DataType::float32)}};
  call.deadline = monotonic_clock().now();
  call.on_answer = inbox.on_answer();
  const std::uint64_t number = worker.client().submit(std::move(call), detail::ReceivedBy::connection);
  EXPECT_EQ(code_of(inbox.wait_for()), ErrorCode::deadline_exceeded);
  return number;
}

void expect_no_memory(RingWorker& worker) {
  EXPECT_EQ(worker.client().allocate({7000}, DataType::float32).storage(), StorageKind::heap);
}

void expect_memory_again(RingWorker& worker) {
  EXPECT_EQ(worker.client().allocate({7000}, DataType::float32).storage(), StorageKind::shared_memory);
  expect_answered(worker);
}

TEST(HostileRingWorkerTest, InputsOfACallThatHasEndedAreKeptUntilAnAnswerSaysThatTheyWereLetGo) {
  RingWorker worker;
  TensorDescriptor output = RingWorker::output(call_late(worker));
  expect_no_memory(worker);
  worker.push(output);
  expect_answered(worker);
  output.flags = detail::kInputsLetGo;
  worker.push(output);
  expect_answered(worker);
  expect_memory_again(worker);
}

TEST(HostileRingWorkerTest, InputsOfACallThatHasEndedAreKeptUntilARecordGivesThemBack) {
  RingWorker worker;
  TensorDescriptor release;
  release.kind = static_cast<std::uint8_t>(DescriptorKind::release);
  release.request_id = call_late(worker);
  release.segment = 2;
  release.generation = 1;
  release.slot_offset = kSegmentHeaderBytes;
  worker.push(release);
  expect_answered(worker);
  expect_memory_again(worker);
  const Inbox inbox;
  call(worker, inbox);
  worker.push(release);
  EXPECT_EQ(code_of(answer_of(worker, inbox)), ErrorCode::protocol_error);
}

TEST(HostileRingWorkerTest, WhatWasNotLentCannotBeGivenBack) {
  expect_ends([](RingWorker& worker, std::uint64_t) {
    TensorDescriptor release;
    release.kind = static_cast<std::uint8_t>(DescriptorKind::release);
    release.segment = 2;
    release.generation = 1;
    release.slot_offset = kSegmentHeaderBytes + 25'600;
    worker.push(release);
  });
}

TEST(HostileRingWorkerTest, RecordsAndCountsThatCannotBeEndTheSession) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t first_word : {std::uint64_t{3} << 32, std::uint64_t{1} << 40, kMost}) {
    expect_ends([&](RingWorker& worker, std::uint64_t) { worker.claim(128, first_word); });
  }
  for (const std::uint64_t count : {std::uint64_t{RingWorker::kDepth + 1}, std::uint64_t{1} << 40, kMost}) {
    RingWorker worker;
    worker.claim(0, count);  // which the client looks at where its ring seems to be full
    std::vector<Inbox> inboxes(RingWorker::kDepth + 1);
    for (const Inbox& inbox : inboxes) call(worker, inbox);
    worker.client().receive_until([&] { return inboxes[0].count() > 0; }, testing::soon());
    for (const Inbox& inbox : inboxes) {
      ASSERT_EQ(inbox.count(), 1U);
      EXPECT_EQ(code_of(inbox.wait_for()), ErrorCode::protocol_error);
    }
  }
}

TEST(HostileRingWorkerTest, SegmentsThatAreNotWhatTheirMessageSaysEndTheSession) {
  const auto offer = [](const std::function<void(SegmentsMessage&, std::vector<platform::OwnedHandle>&)>& lie) {
    return [lie](RingWorker& worker, std::uint64_t) {
      std::vector<platform::OwnedHandle> handles;
      SegmentsMessage segments{0, {worker.grant(SegmentRole::outputs, 9000, handles)}};
      lie(segments, handles);
      worker.say(segments, handles);
    };
  };
  using Handles = std::vector<platform::OwnedHandle>;
  expect_ends(offer([](SegmentsMessage& said, Handles&) { said.segments[0].number = 3; }));
  expect_ends(offer([](SegmentsMessage& said, Handles&) { said.segments[0].bytes += 4096; }));
  expect_ends(offer([](SegmentsMessage& said, Handles&) { said.segments[0].bytes -= 4096; }));
  expect_ends(offer([](SegmentsMessage& said, Handles&) { said.segments[0].uuid[15] ^= std::byte{1}; }));
  expect_ends(offer([](SegmentsMessage&, Handles& handles) { handles.clear(); }));
  expect_ends(
      offer([](SegmentsMessage&, Handles& handles) { handles.push_back(platform::Doorbell::create().duplicate()); }));
  expect_ends(offer([](SegmentsMessage&, Handles& handles) { handles[0] = platform::Doorbell::create().duplicate(); }));
  RingWorker honest;
  offer([](SegmentsMessage&, Handles&) {})(honest, 0);
  const Inbox inbox;
  TensorDescriptor output = RingWorker::output(call(honest, inbox));
  output.segment = 4;
  honest.push(output);
  EXPECT_EQ(answer_of(honest, inbox).error, nullptr);
}

/// Whatever `flood` does until it is told to stop, a call's time ends it.
void expect_deadline_is_kept(const std::function<void(RingWorker&)>& flood) {
  RingWorker worker;
  const Inbox inbox;
  call(worker, inbox);
  std::jthread floods([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) flood(worker);
  });
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_FALSE(worker.client().receive_until([&] { return inbox.count() > 0; },
                                               later(monotonic_clock().now(), std::chrono::milliseconds{30})));
  }
  EXPECT_FALSE(worker.client().is_over());
}

TEST(HostileRingWorkerTest, WhoNeverStopsWritingDoesNotKeepACallBeyondItsTime) {
  constexpr std::uint64_t kNone = 1'000'000;
  const AnswerMessage nothing{kNone, 0, true, {}};
  const std::vector<std::byte> bytes = write_message(nothing);
  expect_deadline_is_kept([&](RingWorker& worker) { worker.push(RingWorker::output(kNone)); });
  expect_deadline_is_kept([&](RingWorker& worker) { worker.channel().send(bytes, {}, TimePoint{}); });
  expect_deadline_is_kept([&](RingWorker& worker) {
    worker.channel().send(bytes, {}, TimePoint{});
    for (int i = 0; i < 100; ++i) worker.push(RingWorker::output(kNone));
  });
}

}  // namespace
}  // namespace remotemedia
