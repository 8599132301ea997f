// SPDX-License-Identifier: Apache-2.0
//
// Clients that flood, fall silent, ask for much or leave half-way: they stop themselves, and nothing is left of them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "channel/hostile_client.h"
#include "remotemedia/channel/message_limits.h"

namespace remotemedia {
namespace {

using detail::AskHealthMessage;
using detail::AskSegmentMessage;
using detail::AskStatusMessage;
using detail::BytesIn;
using detail::ChunkMessage;
using detail::FailureMessage;
using detail::StatusMessage;
using testing::call;
using testing::HostileClientTest;
using testing::RawClient;

TEST_F(HostileClientTest, QuestionsWhoseAnswersNobodyReadsEndInASilenceOfTheirOwn) {
  for (int twice = 0; twice < 2; ++twice) {
    RawClient client(served_);
    client.shake_hands();
    std::uint64_t asked = 0;
    const std::vector<std::byte> question = write_message(AskStatusMessage{1});
    while (client.channel().send(question, {}, later(monotonic_clock().now(), std::chrono::milliseconds{300}))) ++asked;
    EXPECT_LT(asked, 5000U);
    good_.expect_progress();
    for (std::uint64_t i = 0; i < asked; ++i) client.hear_a<StatusMessage>();
    client.say(AskHealthMessage{2});
    EXPECT_TRUE(client.hear_a<detail::HealthMessage>().healthy) << "who reads is served again";
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, WhoLeavesWithoutReadingIsForgotten) {
  {
    RawClient client(served_);
    client.shake_hands();
    const std::vector<std::byte> question = write_message(AskStatusMessage{1});
    while (client.channel().send(question, {}, later(monotonic_clock().now(), std::chrono::milliseconds{300}))) {
    }
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, CallsWhoseAnswersNobodyReadsFillTheirOwnRingOnly) {
  {
    RawClient client(served_);
    client.shake_hands();
    std::uint64_t pushed = 0;
    TimePoint full_since = TimePoint::max();
    while (full_since == TimePoint::max() ||
           monotonic_clock().now() < later(full_since, std::chrono::milliseconds{300})) {
      if (client.push(client.input(pushed + 1))) {
        ++pushed;
        full_since = TimePoint::max();
        ASSERT_LT(pushed, 20'000U);
      } else if (full_since == TimePoint::max()) {
        full_since = monotonic_clock().now();
      } else {
        std::this_thread::yield();
      }
    }
    good_.expect_progress();
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, WhoNeverStopsWritingHasNoMoreThanItsShare) {
  {
    RawClient client(served_);
    client.shake_hands();
    std::jthread writer([&](const std::stop_token& stop) {
      TensorDescriptor cancel;
      cancel.kind = static_cast<std::uint8_t>(DescriptorKind::cancel);
      cancel.request_id = 77;
      while (!stop.stop_requested()) client.push(cancel);
    });
    for (int i = 0; i < 50; ++i) {
      client.say(AskStatusMessage{1});
      client.hear_a<StatusMessage>();
    }
    good_.expect_progress();
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, BellsThatWereMadeToBlockHoldNobodyUp) {
  {
    RawClient client(served_);
    client.shake_hands();
    for (const platform::NativeHandle bell : {client.workers_bell(), client.own_bell()}) {
      const int descriptor = static_cast<int>(bell);
      const int flags = fcntl(descriptor, F_GETFL);
      const std::uint64_t full = std::numeric_limits<std::uint64_t>::max() - 1;
      ASSERT_EQ(write(descriptor, &full, sizeof full), static_cast<ssize_t>(sizeof full));
      ASSERT_EQ(fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK), 0);
    }
    for (std::uint64_t request = 1; request < 100; ++request) {
      EXPECT_TRUE(client.push(client.input(request)));
      EXPECT_EQ(client.pop().request_id, request);
      client.rings().begin_sleep();
    }
    good_.expect_progress();
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, WhoClosesHalfWayLeavesNothing) {
  const std::vector<std::byte> bytes(4000);
  const std::vector<std::function<void(RawClient&)>> beginnings{
      [](RawClient&) {},
      [](RawClient& client) { client.say(RawClient::hello()); },
      [](RawClient& client) { client.shake_hands(); },
      [](RawClient& client) { client.shake_hands(), client.push(client.input(1)); },
      [](RawClient& client) { client.shake_hands(), client.push(client.input(1)), client.pop(); },
      [](RawClient& client) {
        client.shake_hands(), client.say(AskSegmentMessage{1, 5'000'000});
      },
      [](RawClient& client) { client.shake_hands(), client.say(call(1, BytesIn::chunks, 1'000'000)); },
      [&](RawClient& client) {
        client.shake_hands();
        client.say(call(1, BytesIn::chunks, 1'000'000));
        client.say(ChunkMessage{1, 0, 0, bytes});
      },
      [](RawClient& client) {
        client.shake_hands();
        TensorDescriptor descriptor = client.input(1);
        descriptor.tensor_count = 3;
        client.push(descriptor);
      },
  };
  for (int times = 0; times < 5; ++times) {
    for (const auto& begin : beginnings) {
      RawClient client(served_);
      begin(client);
      if (times % 2 == 0) client.channel().shut_down();
    }
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, WhoSaysNoHelloIsNotWaitedFor) {
  RawClient silent(served_);
  RawClient other(served_);
  expect_ended(silent, "in time");
  expect_ended(other, "in time");
  RawClient late(served_);
  late.shake_hands();
  late.push(late.input(1));
  EXPECT_EQ(late.pop().request_id, 1U);
}

TEST_F(HostileClientTest, MemoryIsAskedForWithinTheQuota) {
  {
    RawClient client(served_);
    client.shake_hands();
    std::size_t granted = 0;
    for (std::uint64_t request = 1; request <= 200; ++request) {
      client.say(AskSegmentMessage{request, request % 2 == 0 ? std::uint64_t{1} : detail::kMaxCounted});
    }
    for (int answers = 0; answers < 200;) {
      const std::optional<detail::WorkerMessage> message = client.hear();
      ASSERT_TRUE(message.has_value()) << answers << " answers, " << granted << " bytes";
      if (const auto* const segments = std::get_if<detail::SegmentsMessage>(&*message)) {
        granted += segments->segments[0].bytes;
        ++answers;
      } else if (const auto* const failure = std::get_if<FailureMessage>(&*message)) {
        EXPECT_EQ(failure->code, ErrorCode::quota_exceeded);
        ++answers;
      }
    }
    EXPECT_GT(granted, 0U);
    EXPECT_LE(granted, (std::size_t{8} << 20) + 2 * kSegmentHeaderBytes);
  }
  expect_unharmed();
}

}  // namespace
}  // namespace remotemedia
