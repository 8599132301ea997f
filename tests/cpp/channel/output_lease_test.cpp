// SPDX-License-Identifier: Apache-2.0
//
// Clients that do not give outputs back: their connections end when the lease is over, their views stay, and those who
// give back hear nothing of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "channel/good_traffic.h"
#include "channel/raw_client.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using testing::Doubler;
using testing::filled;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::ServedChannel;

/// Long enough for whoever gives back, also on a busy machine.
WorkerConfig with_lease() {
  WorkerConfig config;
  config.output_lease = std::chrono::seconds{1};
  return config;
}

TensorMap inputs() { return {{"x", filled(TensorBuffer::allocate({5000}, DataType::float32), 2)}}; }

class OutputLeaseTest : public ::testing::Test {
 protected:
  ServedChannel served_{std::make_shared<Doubler>(), with_lease()};
  testing::GoodTraffic good_{served_};
};

TEST_F(OutputLeaseTest, WhoKeepsAnOutputIsToldAndLetGo) {
  std::array<RawClient, 2> both{RawClient(served_), RawClient(served_)};
  for (RawClient& keeps : both) {
    keeps.shake_hands();
    keeps.push(keeps.input(1));
    EXPECT_EQ(keeps.pop().kind, static_cast<std::uint8_t>(DescriptorKind::result));
  }
  for (RawClient& keeps : both) {
    const auto end = keeps.hear_the_end();
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->code, ErrorCode::rejected);
    EXPECT_THAT(end->text, HasSubstr("output_lease, which is 1000 ms"));
    good_.expect_progress();
  }
}

TEST_F(OutputLeaseTest, TheMemoryComesBackAndTheViewStays) {
  const auto client = served_.connect();
  const Answer kept = testing::infer(*client, inputs());
  ASSERT_EQ(kept.outputs.at("y").storage(), StorageKind::shared_memory);
  std::exception_ptr ended;
  while (ended == nullptr) {  // other answers, which are given back
    ended = testing::infer(*client, inputs()).error;
  }
  EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(ended); }), ErrorCode::rejected);
  EXPECT_TRUE(client->is_over());
  good_.expect_progress();
  EXPECT_TRUE(std::ranges::all_of(kept.outputs.at("y").span<const float>(), [](float y) { return y == 4; }));
  const auto again = served_.connect();
  EXPECT_EQ(testing::infer(*again, inputs()).outputs.at("y").storage(), StorageKind::shared_memory);
}

TEST(NoOutputLeaseTest, WithoutOneAnOutputIsKeptForAsLongAsItIsWanted) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto client = served.connect();
  const Answer kept = testing::infer(*client, inputs());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(testing::infer(*client, inputs()).error, nullptr);
  EXPECT_EQ(kept.outputs.at("y").span<const float>()[4999], 4);
}

}  // namespace
}  // namespace remotemedia
