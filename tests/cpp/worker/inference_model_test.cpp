// SPDX-License-Identifier: Apache-2.0
//
// What a model does that says no more than it must.

#include "remotemedia/worker/inference_model.h"

#include <gtest/gtest.h>

#include <any>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "testing/thrown.h"
#include "worker/floats.h"

namespace remotemedia {
namespace {

using testing::floats;
using testing::values;

class Doubler final : public InferenceModel {
 public:
  std::string model_id() const override { return "doubler"; }
  ModelSignature signature() const override {
    return {.inputs = {{"x", DataType::float32, {-1}}}, .outputs = {{"y", DataType::float32, {-1}}}};
  }
  std::size_t memory_usage() const override { return 0; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    ++calls;
    const TensorBuffer& x = inputs.at("x");
    if (x.element_count() == 0) throw std::runtime_error("nothing to double");
    const TensorBuffer y = context.allocate(x.shape(), x.dtype());
    const std::span<const float> from = x.span<const float>();
    const std::span<float> to = y.span<float>();
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = 2 * from[i];
    return {{"y", y}};
  }

  int calls = 0;
};

TEST(InferenceModelTest, ItsStreamIsItsOneAnswerOnce) {
  Doubler model;
  InferenceContext context({RequestInfo{}});
  const auto stream = model.infer_stream({{"x", floats({3}, 1)}}, context);
  ASSERT_NE(stream, nullptr);
  const std::optional<TensorMap> answer = stream->next();
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->size(), 1U);
  EXPECT_EQ(values(answer->at("y")), (std::vector<float>{2, 4, 6}));
  EXPECT_FALSE(stream->next());
  EXPECT_FALSE(stream->next());
  EXPECT_EQ(model.calls, 1);
}

TEST(InferenceModelTest, AnAnswerWithoutTensorsIsOneToo) {
  class Sink final : public InferenceModel {
    std::string model_id() const override { return "sink"; }
    ModelSignature signature() const override { return {}; }
    std::size_t memory_usage() const override { return 0; }
    TensorMap infer(const TensorMap& /*inputs*/, InferenceContext& /*context*/) override { return {}; }
  };
  Sink sink;
  InferenceModel& model = sink;
  InferenceContext context({RequestInfo{}});
  const auto stream = model.infer_stream({}, context);
  const std::optional<TensorMap> answer = stream->next();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->empty());
  EXPECT_FALSE(stream->next());
}

TEST(InferenceModelTest, WhatInferThrowsItsStreamThrows) {
  Doubler model;
  InferenceContext context({RequestInfo{}});
  for (int time = 0; time < 2; ++time) {
    const auto error = testing::thrown<std::runtime_error>([&] {
      model.infer_stream({{"x", floats({0})}}, context)->next();
    });
    EXPECT_STREQ(error.what(), "nothing to double");
  }
}

TEST(InferenceModelTest, KeepsNothingForASession) {
  Doubler model;
  EXPECT_FALSE(model.open_session("a").has_value());
  const auto state = std::make_shared<int>(7);
  model.close_session("a", state);
  EXPECT_EQ(state.use_count(), 1);
}

TEST(InferenceModelTest, IsHealthyOnTheProcessorAndNeedsNoBeginAndNoEnd) {
  Doubler model;
  EXPECT_EQ(model.device(), "cpu");
  EXPECT_NO_THROW(model.warm_up());
  EXPECT_TRUE(model.is_healthy());
  EXPECT_NO_THROW(model.close());
  EXPECT_EQ(model.calls, 0);
}

}  // namespace
}  // namespace remotemedia
