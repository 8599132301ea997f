// SPDX-License-Identifier: Apache-2.0
//
// GoodTraffic: a client that calls a Doubler without a pause while others do what they like, and looks at every element
// of every answer.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "channel/served_channel.h"

namespace remotemedia::testing {

class GoodTraffic {
 public:
  explicit GoodTraffic(const ServedChannel& served)
      : client_(served.connect(std::byte{200})), thread_([this](const std::stop_token& stop) { run(stop); }) {
    expect_progress();
  }

  /// It goes on.
  void expect_progress() const {
    const int before = calls_;
    while (calls_ < before + 20 && !failed_) std::this_thread::yield();
    EXPECT_FALSE(failed_);
  }

  /// The longest time in which no call was answered, while the next `calls` are.
  Duration longest_gap(int calls) {
    longest_gap_ = Duration{0};
    const int before = calls_;
    while (calls_ < before + calls && !failed_) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    EXPECT_FALSE(failed_);
    return longest_gap_;
  }

 private:
  void run(const std::stop_token& stop) {
    TimePoint last = monotonic_clock().now();
    for (int i = 0; !stop.stop_requested() && !failed_; ++i) {
      const std::int64_t size = i % 2 == 0 ? 100 : 5000;
      const auto value = static_cast<float>(i % 1000);
      const detail::Answer answer =
          infer(*client_, {{"x", filled(TensorBuffer::allocate({size}, DataType::float32), value)}});
      failed_ = answer.error != nullptr || answer.outputs.at("y").shape() != Dims{size} ||
                !std::ranges::all_of(answer.outputs.at("y").span<const float>(),
                                     [&](float element) { return element == 2 * value; });
      const TimePoint now = monotonic_clock().now();
      longest_gap_ = std::max(longest_gap_.load(), now - std::exchange(last, now));
      ++calls_;
    }
  }

  std::atomic<int> calls_{0};
  std::atomic<bool> failed_{false};
  std::atomic<Duration> longest_gap_{Duration{0}};
  std::shared_ptr<detail::WorkerConnection> client_;
  std::jthread thread_;
};

}  // namespace remotemedia::testing
