// SPDX-License-Identifier: Apache-2.0
//
// A record may come before the message that grants its segment: what stands before that message is taken in its turn.

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <vector>

#include "channel/ring_worker.h"
#include "channel/served_channel.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::AnswerMessage;
using detail::MessageTensor;
using detail::SegmentRole;
using detail::SegmentsMessage;
using testing::Inbox;
using testing::RingWorker;

constexpr std::uint32_t kLateSegment = 4;

class LateSegmentTest : public ::testing::Test {
 protected:
  /// Their answers come to one inbox, in the order in which they are given.
  std::vector<std::uint64_t> call(std::size_t count) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i) {
      detail::Call call;
      call.inputs = {{"x", TensorBuffer::allocate({4}, DataType::float32)}};
      call.on_answer = inbox_.on_answer();
      numbers.push_back(worker_.client().submit(std::move(call), detail::ReceivedBy::caller));
    }
    return numbers;
  }

  /// An answer of its call's number.
  void answer_by_message(std::uint64_t request) {
    const auto value = static_cast<float>(request);
    std::array<std::byte, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    MessageTensor y;
    y.key = std::uint32_t{0};
    y.dtype = DataType::float32;
    y.shape = Dims{1};
    y.bytes = bytes;
    worker_.say(AnswerMessage{request, 0, true, {y}});
  }

  /// Ten numbers in the segment that is granted later.
  static TensorDescriptor output(std::uint64_t request) {
    TensorDescriptor output = RingWorker::output(request);
    output.segment = kLateSegment;
    return output;
  }

  void grant_segment() {
    std::vector<platform::OwnedHandle> handles;
    const SegmentsMessage segments{0, {worker_.grant(SegmentRole::outputs, 9000, handles)}};
    worker_.say(segments, handles);
  }

  /// The numbers of the calls that messages answered, and 0 for those that records did, in the order of their answers.
  std::vector<std::int64_t> answers(std::size_t count) {
    worker_.client().receive_until([&] { return inbox_.count() == count; }, TimePoint::max());
    std::vector<std::int64_t> given;
    for (std::size_t i = 0; i < count; ++i) {
      const Answer answer = inbox_.wait_for(i);
      if (answer.error != nullptr) std::rethrow_exception(answer.error);
      const TensorBuffer& y = answer.outputs.at("y");
      given.push_back(y.shape() == Dims{10} ? 0 : static_cast<std::int64_t>(y.span<const float>()[0]));
    }
    return given;
  }

  RingWorker worker_;
  Inbox inbox_;
};

TEST_F(LateSegmentTest, MessagesBeforeItAreTakenBehindTheOneThatFoundTheRecord) {
  const std::vector<std::uint64_t> calls = call(3);
  auto given = std::async(std::launch::async, [&] { return answers(3); });
  worker_.wait_until_client_sleeps();
  worker_.push_unheard(output(calls[2]));
  answer_by_message(calls[0]);
  answer_by_message(calls[1]);
  grant_segment();
  EXPECT_EQ(given.get(), (std::vector<std::int64_t>{0, 1, 2}));
}

TEST_F(LateSegmentTest, MessagesBeforeItAreTakenBehindARecord) {
  const std::vector<std::uint64_t> calls = call(3);
  worker_.push(output(calls[0]));
  answer_by_message(calls[1]);
  answer_by_message(calls[2]);
  grant_segment();
  EXPECT_EQ(answers(3), (std::vector<std::int64_t>{0, 2, 3}));
}

TEST_F(LateSegmentTest, MessagesBeforeItAreTakenThoughTheWorkerIsGone) {
  const std::vector<std::uint64_t> calls = call(4);
  worker_.push(output(calls[3]));
  answer_by_message(calls[0]);
  answer_by_message(calls[1]);
  answer_by_message(calls[2]);
  grant_segment();
  worker_.channel().shut_down();
  EXPECT_EQ(answers(4), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace remotemedia
