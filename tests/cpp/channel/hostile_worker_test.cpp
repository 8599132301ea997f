// SPDX-License-Identifier: Apache-2.0
//
// A worker that a test writes by hand and that lies: every call of its client ends with an error, and nothing hangs.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "channel/served_channel.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/tensor/packed_bytes.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::AnswerMessage;
using detail::BytesIn;
using detail::ChunkMessage;
using detail::FailureMessage;
using detail::HealthMessage;
using detail::MessageTensor;
using detail::RefusedMessage;
using detail::SegmentGrant;
using detail::SegmentRole;
using detail::StatusMessage;
using detail::WelcomeMessage;
using platform::DescriptorChannel;
using testing::filled;
using testing::soon;

/// One client's worker, without shared memory: `answer` says something to each message but the hello.
class RawWorker {
 public:
  using Answer = std::function<void(DescriptorChannel&, std::uint64_t request)>;

  explicit RawWorker(std::vector<std::byte> first, Answer answer = {})
      : listener_(platform::ChannelListener::listen(folder_ / "worker")),
        thread_([this, first = std::move(first), answer = std::move(answer)] { run(first, answer); }) {}

  std::shared_ptr<detail::WorkerConnection> connect() const {
    std::array<std::byte, 16> id{};
    id.fill(std::byte{1});
    return detail::unix_scheme().connect("unix:" + (folder_ / "worker").string(), id, {}, soon());
  }

 private:
  void run(const std::vector<std::byte>& first, const Answer& answer) {
    std::optional<DescriptorChannel> client = listener_.accept(soon());
    platform::Message message;
    if (!client || client->receive(message, soon()) != DescriptorChannel::Received::message) return;
    client->send(first, {}, soon());
    while (client->receive(message, soon()) == DescriptorChannel::Received::message) {
      const std::uint64_t request = detail::read_message_header(message.bytes).request;
      if (answer) answer(*client, request);
    }
  }

  testing::AddressFolder folder_;
  platform::ChannelListener listener_;
  std::jthread thread_;
};

WelcomeMessage welcome() {
  WelcomeMessage welcome;
  welcome.signature = {.inputs = {{"x", DataType::float32, {-1}}}, .outputs = {{"y", DataType::float32, {-1}}}};
  welcome.limits.unanswered_calls = 10;
  welcome.limits.inline_bytes = 1000;
  return welcome;
}

template <class M>
RawWorker::Answer says(const M& message) {
  return [message](DescriptorChannel& client, std::uint64_t request) {
    M answer = message;
    answer.request = request;
    client.send(write_message(answer), {}, soon());
  };
}

MessageTensor output(BytesIn bytes_in, std::int64_t size, std::uint32_t number = 0) {
  MessageTensor tensor;
  tensor.key = number;
  tensor.dtype = DataType::float32;
  tensor.shape = {size};
  tensor.bytes_in = bytes_in;
  return tensor;
}

AnswerMessage answers(MessageTensor tensor) { return {0, 0, true, {std::move(tensor)}}; }

/// How a call ends that is answered like this.
ErrorCode end_of_call(const RawWorker::Answer& answer) {
  const RawWorker worker(write_message(welcome()), answer);
  const auto client = worker.connect();
  const detail::Answer end =
      testing::infer(*client, {{"x", filled(TensorBuffer::allocate({4}, DataType::float32), 1)}});
  return testing::code_thrown([&] { std::rethrow_exception(end.error); });
}

ErrorCode end_of_status(const RawWorker::Answer& answer) {
  const RawWorker worker(write_message(welcome()), answer);
  const auto client = worker.connect();
  return testing::code_thrown([&] { client->status(TimePoint::max()); });
}

ErrorCode end_of_connect(const std::vector<std::byte>& first) {
  const RawWorker worker(first);
  return testing::code_thrown([&] { worker.connect(); });
}

TEST(HostileWorkerTest, WhatIsNoWelcomeIsRefused) {
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(end_of_connect(write_message(FailureMessage{1, ErrorCode::cancelled, "no"})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_connect(write_message(detail::CancelMessage{1})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_connect(std::vector<std::byte>(100)), ErrorCode::protocol_error);
    RefusedMessage full;
    full.code = ErrorCode::rejected;
    EXPECT_EQ(end_of_connect(write_message(full)), ErrorCode::rejected);
  }
  WelcomeMessage with_rings = welcome();
  with_rings.limits.ring_depth = 64;
  with_rings.segments = {SegmentGrant{SegmentRole::client_control, 0, 1, 65'536, {}},
                         SegmentGrant{SegmentRole::worker_control, 1, 1, 65'536, {}}};
  EXPECT_EQ(end_of_connect(write_message(with_rings)), ErrorCode::protocol_error) << "it came without handles";
}

TEST(HostileWorkerTest, ACallEndsWithAnErrorWhateverIsAnswered) {
  const std::array<std::byte, 8> bytes{};
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(end_of_call(says(StatusMessage{})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call(says(HealthMessage{})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call(says(answers(output(BytesIn::record, 4)))), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call(says(ChunkMessage{0, 0, 0, bytes})), ErrorCode::protocol_error);
    MessageTensor of_no_number = output(BytesIn::message, 0, 9);
    EXPECT_EQ(end_of_call(says(answers(of_no_number))), ErrorCode::invalid_tensor);
    EXPECT_EQ(end_of_call(says(FailureMessage{0, ErrorCode::cancelled, ""})), ErrorCode::cancelled);
    EXPECT_EQ(end_of_call([](DescriptorChannel& client, std::uint64_t) { client.shut_down(); }),
              ErrorCode::worker_unavailable);
    EXPECT_EQ(end_of_call(
                  [](DescriptorChannel& client, std::uint64_t) { client.send(write_message(welcome()), {}, soon()); }),
              ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call([](DescriptorChannel& client, std::uint64_t) {
                client.send(std::vector<std::byte>(50, std::byte{1}), {}, soon());
              }),
              ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call([&](DescriptorChannel& client, std::uint64_t request) {
                says(answers(output(BytesIn::chunks, 4)))(client, request);
                says(ChunkMessage{0, 0, 8, bytes})(client, request);
              }),
              ErrorCode::protocol_error);
    EXPECT_EQ(end_of_call([&](DescriptorChannel& client, std::uint64_t request) {
                says(answers(output(BytesIn::chunks, 4)))(client, request);
                says(answers(output(BytesIn::chunks, 4)))(client, request);
              }),
              ErrorCode::protocol_error);
  }
}

TEST(HostileWorkerTest, LengthsOfElementsThatLieEndTheCall) {
  const std::vector<std::byte> lies(8, std::byte{0xFF});
  for (int twice = 0; twice < 2; ++twice) {
    MessageTensor here = output(BytesIn::message, 1);
    here.dtype = DataType::bytes;
    here.packed_bytes = lies.size();
    here.bytes = lies;
    EXPECT_NE(end_of_call(says(answers(here))), ErrorCode::worker_unavailable);
    MessageTensor behind = here;
    behind.bytes_in = BytesIn::chunks;
    behind.bytes = {};
    const RawWorker worker(write_message(welcome()), [&](DescriptorChannel& client, std::uint64_t request) {
      says(answers(behind))(client, request);
      says(ChunkMessage{0, 0, 0, lies})(client, request);
    });
    const auto client = worker.connect();
    const detail::Answer end = testing::infer(*client, {{"x", TensorBuffer::allocate({4}, DataType::float32)}});
    ASSERT_EQ(end.error, nullptr);
    EXPECT_EQ(testing::code_thrown([&] { unpack_bytes(end.outputs.at("y")); }), ErrorCode::invalid_tensor);
  }
}

TEST(HostileWorkerTest, AQuestionEndsWithAnErrorWhateverIsAnswered) {
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(end_of_status(says(HealthMessage{})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_status(says(answers(output(BytesIn::message, 0)))), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_status(says(AnswerMessage{0, 0, true, {}})), ErrorCode::protocol_error);
    EXPECT_EQ(end_of_status(says(FailureMessage{0, ErrorCode::rejected, ""})), ErrorCode::rejected);
    EXPECT_EQ(end_of_status([](DescriptorChannel& client, std::uint64_t) { client.shut_down(); }),
              ErrorCode::worker_unavailable);
  }
}

TEST(HostileWorkerTest, AnswersOfCallsThatAreNoneAreNothing) {
  const RawWorker worker(write_message(welcome()), [](DescriptorChannel& client, std::uint64_t request) {
    for (const std::uint64_t other : {request + 1, request + 1000}) {
      says(FailureMessage{other, ErrorCode::cancelled, ""})(client, other);
      says(AnswerMessage{other, 0, true, {}})(client, other);
    }
    says(FailureMessage{0, ErrorCode::rejected, ""})(client, request);
  });
  const auto client = worker.connect();
  for (int twice = 0; twice < 2; ++twice) {
    const detail::Answer end = testing::infer(*client, {{"x", TensorBuffer::allocate({4}, DataType::float32)}});
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(end.error); }), ErrorCode::rejected);
  }
}

}  // namespace
}  // namespace remotemedia
