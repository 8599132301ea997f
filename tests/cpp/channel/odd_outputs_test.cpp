// SPDX-License-Identifier: Apache-2.0
//
// Models that answer with what is odd, too much or wrong: what is odd arrives to the bit, what is too much arrives in
// another way, what is wrong fails the call and not the next.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "channel/served_channel.h"
#include "channel/told_model.h"
#include "remotemedia/base/mutex.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using testing::filled;
using ::testing::HasSubstr;
using testing::ServedChannel;
using testing::ToldModel;

/// A worker of float32 rows whose next answers are what answer_with() was given.
class OddOutputsTest : public ::testing::Test {
 protected:
  static WorkerConfig config() {
    WorkerConfig config;
    config.memory_quota_bytes = std::size_t{8} << 20;
    return config;
  }

  void answer_with(TensorMap outputs) {
    MutexLock lock(mutex_);
    outputs_ = std::move(outputs);
  }

  const TensorMap inputs_{{"x", filled(TensorBuffer::allocate({4}, DataType::float32), 1)}};
  Mutex mutex_;
  TensorMap outputs_ REMOTEMEDIA_GUARDED_BY(mutex_);
  ServedChannel served_{std::make_shared<ToldModel>(testing::Doubler().signature(),
                                                    [this](const TensorMap&, InferenceContext&) {
                                                      MutexLock lock(mutex_);
                                                      return outputs_;
                                                    }),
                        config()};
  std::shared_ptr<detail::WorkerConnection> client_{served_.connect()};
};

TEST_F(OddOutputsTest, EveryNaNAndInfinityPassesToTheBit) {
  const std::vector<std::uint32_t> bits{0x7FC0'0000, 0xFFC0'0000, 0x7F80'0001, 0x7FFF'FFFF, 0xFFFF'FFFF,
                                        0x7F80'0000, 0xFF80'0000, 0x8000'0000, 0x0000'0001};
  for (const std::size_t times : {std::size_t{1}, std::size_t{1000}}) {
    const TensorBuffer y = TensorBuffer::allocate({static_cast<std::int64_t>(bits.size() * times)}, DataType::float32);
    for (std::size_t i = 0; i < times; ++i) std::memcpy(y.mutable_data() + 36 * i, bits.data(), 36);
    answer_with({{"y", y}});
    for (int twice = 0; twice < 2; ++twice) {
      const Answer answer = testing::infer(*client_, inputs_);
      ASSERT_EQ(answer.error, nullptr);
      ASSERT_EQ(answer.outputs.at("y").shape(), y.shape());
      EXPECT_EQ(std::memcmp(answer.outputs.at("y").data(), y.data(), y.nbytes()), 0);
    }
  }
}

TEST_F(OddOutputsTest, OnesThatAreLargerThanAnySegmentOrTheQuotaArriveWhole) {
  for (const std::int64_t size : {500'000, 1'500'000, 3'000'000, 10}) {
    const TensorBuffer given = filled(TensorBuffer::allocate({size}, DataType::float32), static_cast<float>(size));
    given.span<float>()[static_cast<std::size_t>(size) - 1] = -1;
    answer_with({{"y", given}});
    for (int twice = 0; twice < 2; ++twice) {
      const Answer answer = testing::infer(*client_, inputs_);
      ASSERT_EQ(answer.error, nullptr) << size;
      const TensorBuffer& y = answer.outputs.at("y");
      ASSERT_EQ(y.shape(), Dims{size});
      EXPECT_EQ(std::memcmp(y.data(), given.data(), y.nbytes()), 0);
      if (size == 3'000'000) {
        EXPECT_EQ(y.storage(), StorageKind::heap) << "the quota is 8 MiB";
      }
    }
  }
}

TEST_F(OddOutputsTest, WrongOnesFailTheCallAndNotTheNext) {
  const TensorBuffer right = filled(TensorBuffer::allocate({4}, DataType::float32), 2);
  const std::vector<std::pair<TensorMap, std::string>> wrong{
      {{}, "y"},
      {{{"z", right}}, "z"},
      {{{"y", right}, {"z", right}}, "z"},
      {{{"y", TensorBuffer::allocate({4}, DataType::float64)}}, "float64"},
      {{{"y", TensorBuffer::allocate({4, 1}, DataType::float32)}}, "y"},
      {{{"y", TensorBuffer::allocate({}, DataType::float32)}}, "y"},
  };
  for (const auto& [outputs, named] : wrong) {
    for (int twice = 0; twice < 2; ++twice) {
      answer_with(outputs);
      const Answer answer = testing::infer(*client_, inputs_);
      ASSERT_NE(answer.error, nullptr) << named;
      const Error error = testing::thrown([&] { std::rethrow_exception(answer.error); });
      EXPECT_EQ(error.code(), ErrorCode::inference_failed);
      EXPECT_THAT(error.what(), HasSubstr(named));
      answer_with({{"y", right}});
      EXPECT_EQ(testing::infer(*client_, inputs_).error, nullptr);
    }
  }
}

}  // namespace
}  // namespace remotemedia
