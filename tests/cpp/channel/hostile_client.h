// SPDX-License-Identifier: Apache-2.0
//
// What tests of hostile clients have in common: a worker, another client's traffic, and what this process held before.
//
// Linux only.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "channel/good_traffic.h"
#include "channel/raw_client.h"
#include "channel/session_resources.h"

namespace remotemedia::testing {

/// A call for a row of `size` float32, which come as `bytes_in` says.
inline detail::CallMessage call(std::uint64_t request, detail::BytesIn bytes_in, std::int64_t size) {
  detail::MessageTensor tensor;
  tensor.key = 0U;
  tensor.dtype = DataType::float32;
  tensor.shape = {size};
  tensor.bytes_in = bytes_in;
  detail::CallMessage call;
  call.request = request;
  call.tensors = {tensor};
  return call;
}

class HostileClientTest : public ::testing::Test {
 protected:
  HostileClientTest() {
    RawClient(served_).shake_hands();
    held_ = SessionResources::settled();
  }

  /// Others go on, and nothing of the one that is gone is left.
  void expect_unharmed() {
    good_.expect_progress();
    EXPECT_TRUE(held_.come_back()) << held_ << "\n now" << SessionResources::now();
  }

  static void expect_ended(RawClient& client, const std::string& why = "") {
    const auto end = client.hear_the_end();
    ASSERT_TRUE(end.has_value()) << "without a reason";
    EXPECT_EQ(end->code, ErrorCode::protocol_error);
    EXPECT_THAT(end->text, ::testing::HasSubstr(why));
  }

  /// `lie` to a session that has just begun ends it.
  void expect_ends(const std::function<void(RawClient&)>& lie, const std::string& why = "") {
    for (int twice = 0; twice < 2; ++twice) {
      RawClient client(served_);
      client.shake_hands();
      lie(client);
      expect_ended(client, why);
    }
    expect_unharmed();
  }

  static WorkerConfig config() {
    WorkerConfig config;
    config.memory_quota_bytes = std::size_t{8} << 20;
    return config;
  }

  ServedChannel served_{std::make_shared<Doubler>(), config()};
  GoodTraffic good_{served_};
  SessionResources held_;
};

}  // namespace remotemedia::testing
