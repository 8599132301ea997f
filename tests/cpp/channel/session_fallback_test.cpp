// SPDX-License-Identifier: Apache-2.0
//
// Sessions with little shared memory.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "channel/served_channel.h"
#include "remotemedia/base/error.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using testing::Doubler;
using testing::filled;
using testing::ServedChannel;

constexpr std::size_t kQuota = 300'000;

WorkerConfig little_memory() {
  WorkerConfig config;
  config.memory_quota_bytes = kQuota;
  return config;
}

void expect_doubled(const Answer& answer, std::int64_t size, float value) {
  ASSERT_EQ(answer.error, nullptr);
  const TensorBuffer& y = answer.outputs.at("y");
  ASSERT_EQ(y.shape(), Dims{size});
  for (const float element : y.span<const float>()) ASSERT_EQ(element, 2 * value);
}

TEST(SessionFallbackTest, InputsBeyondTheQuotaGoInPieces) {
  ServedChannel served(std::make_shared<Doubler>(), little_memory());
  const auto client = served.connect();
  for (const std::int64_t size : {20'000, 74'000, 20'000}) {
    const TensorBuffer x = filled(client->allocate({size}, DataType::float32), 3);
    EXPECT_EQ(x.storage(), size < 60'000 ? StorageKind::shared_memory : StorageKind::heap);
    expect_doubled(testing::infer(*client, {{"x", x}}), size, 3);
  }
}

TEST(SessionFallbackTest, OutputsBeyondTheQuotaGoInPieces) {
  ServedChannel served(std::make_shared<Doubler>(), little_memory());
  const auto client = served.connect();
  std::vector<Answer> kept;
  std::size_t of_the_heap = 0;
  for (int i = 0; i < 8; ++i) {
    const auto value = static_cast<float>(i);
    kept.push_back(
        testing::infer(*client, {{"x", filled(TensorBuffer::allocate({30'000}, DataType::float32), value)}}));
    expect_doubled(kept.back(), 30'000, value);
    if (kept.back().outputs.at("y").storage() == StorageKind::heap) ++of_the_heap;
  }
  EXPECT_EQ(of_the_heap, 6U);
  for (int i = 0; i < 8; ++i) expect_doubled(kept[static_cast<std::size_t>(i)], 30'000, static_cast<float>(i));
  kept.clear();
  const TensorMap inputs{{"x", filled(TensorBuffer::allocate({30'000}, DataType::float32), 1)}};
  testing::infer(*client, inputs);  // behind it the worker has what was let go
  EXPECT_EQ(testing::infer(*client, inputs).outputs.at("y").storage(), StorageKind::shared_memory);
}

TEST(SessionFallbackTest, OneCallBeyondTheQuotaIsRefusedAndTheNextIsServed) {
  ServedChannel served(std::make_shared<Doubler>(), little_memory());
  const auto client = served.connect();
  for (int twice = 0; twice < 2; ++twice) {
    const Answer answer = testing::infer(*client, {{"x", TensorBuffer::allocate({80'000}, DataType::float32)}});
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(answer.error); }), ErrorCode::quota_exceeded);
    expect_doubled(testing::infer(*client, {{"x", filled(TensorBuffer::allocate({74'000}, DataType::float32), 1)}}),
                   74'000, 1);
  }
}

TEST(SessionFallbackTest, AQuotaOfOneByteStillServesEmptyAndInlineTensors) {
  WorkerConfig config;
  config.memory_quota_bytes = 1;
  ServedChannel served(std::make_shared<Doubler>(), config);
  const auto client = served.connect();
  for (const std::int64_t size : {0, 1, 2000, 0}) {
    expect_doubled(testing::infer(*client, {{"x", filled(TensorBuffer::allocate({size}, DataType::float32), 5)}}), size,
                   5);
  }
}

}  // namespace
}  // namespace remotemedia
