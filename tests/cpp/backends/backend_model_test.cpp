// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/written_file.h"
#include "remotemedia/backends/backend.h"
#include "remotemedia/registry/model_registry.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/worker/inference_context.h"
#include "testing/thrown.h"
#include "worker/floats.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using ::testing::ElementsAre;
using testing::floats;
using testing::values;
using testing::WrittenFile;

class BackendModelTest : public ::testing::Test {
 protected:
  std::shared_ptr<BackendModel> loaded(std::int64_t max_batch_size) {
    return linear_.load({.path = file_.path(), .model_id = "sums", .max_batch_size = max_batch_size});
  }

  static TensorMap answer_of(BackendModel& model, const TensorBuffer& x) {
    InferenceContext context({});
    return model.infer({{"x", x}}, context);
  }

  Backend linear_ = Backend::open(REMOTEMEDIA_LINEAR_PLUGIN);
  WrittenFile file_{"sums.linear", "2 3  1 1 1  1 0 0"};
};

TEST_F(BackendModelTest, DescribesWhatTheFileHolds) {
  const auto model = loaded(4);
  EXPECT_EQ(model->model_id(), "sums");
  EXPECT_EQ(model->device(), "cpu");
  EXPECT_EQ(model->memory_usage(), 6 * sizeof(float));
  EXPECT_EQ(model->signature(), (ModelSignature{.inputs = {{"x", DataType::float32, {3}}},
                                                .outputs = {{"y", DataType::float32, {2}}},
                                                .max_batch_size = 4}));
}

TEST_F(BackendModelTest, AnswersABatchRowByRow) {
  const auto model = loaded(4);
  model->warm_up();
  const TensorMap answer = answer_of(*model, floats({2, 3}));
  EXPECT_THAT(values(answer.at("y")), ElementsAre(3, 0, 12, 3));
  EXPECT_EQ(answer.at("y").shape(), (Dims{2, 2}));
  EXPECT_EQ(model->copied_bytes(), 0U);
}

TEST_F(BackendModelTest, WithoutABatchShapesAreAsTheyStand) {
  const auto model = loaded(0);
  EXPECT_THAT(values(answer_of(*model, floats({3})).at("y")), ElementsAre(3, 0));
}

TEST_F(BackendModelTest, AnInputWithGapsIsCopiedAndCounted) {
  const auto model = loaded(4);
  const TensorBuffer columns = floats({3, 2}).transpose();
  EXPECT_THAT(values(answer_of(*model, columns).at("y")), ElementsAre(6, 0, 9, 1));
  EXPECT_EQ(model->copied_bytes(), 6 * sizeof(float));
}

TEST_F(BackendModelTest, OutputsLieWhereTheCallerReadsThem) {
  const auto model = loaded(4);
  std::vector<TensorBuffer> given;
  InferenceContext context(
      {}, [&](const Dims& shape, DataType dtype) { return given.emplace_back(TensorBuffer::allocate(shape, dtype)); });
  const TensorMap answer = model->infer({{"x", floats({1, 3})}}, context);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(answer.at("y").data(), given[0].data());
}

TEST_F(BackendModelTest, AnInputThatIsMissingIsNamed) {
  const auto model = loaded(4);
  InferenceContext context({});
  EXPECT_EQ(code_thrown([&] { model->infer({{"z", floats({1, 3})}}, context); }), ErrorCode::invalid_tensor);
}

TEST_F(BackendModelTest, SeveralThreadsMayAskAtOnce) {
  const auto model = linear_.load({.path = file_.path(), .max_batch_size = 4, .instances = 4});
  std::vector<std::jthread> threads;
  for (int caller = 0; caller < 4; ++caller) {
    threads.emplace_back([&model, caller] {
      for (int round = 0; round < 200; ++round) {
        const auto first = static_cast<float>(caller);
        ASSERT_THAT(values(answer_of(*model, floats({1, 3}, first)).at("y")), ElementsAre(3 * first + 3, first));
      }
    });
  }
}

TEST_F(BackendModelTest, IsSharedThroughTheRegistryWithItsBytes) {
  ModelRegistry registry;
  const auto load = [&](const ReportProgress& report) {
    return linear_.load({.path = file_.path(), .progress = report});
  };
  const auto ours = registry.get_or_load<BackendModel>("sums@cpu", load);
  const auto theirs = registry.get_or_load<BackendModel>("sums@cpu", load);
  EXPECT_EQ(&*ours, &*theirs);
  EXPECT_EQ(registry.metrics().total_memory_bytes, 6 * sizeof(float));
}

}  // namespace
}  // namespace remotemedia
