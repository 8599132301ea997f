// SPDX-License-Identifier: Apache-2.0
//
// A model that does what a test tells it.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "remotemedia/worker/inference_model.h"

namespace remotemedia::testing {

class ToldModel : public InferenceModel {
 public:
  using Infer = std::function<TensorMap(const TensorMap&, InferenceContext&)>;

  ToldModel(ModelSignature signature, Infer infer) : signature_(std::move(signature)), infer_(std::move(infer)) {}

  std::string model_id() const override { return "told"; }
  ModelSignature signature() const override { return signature_; }
  std::size_t memory_usage() const override { return 0; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override { return infer_(inputs, context); }

 private:
  ModelSignature signature_;
  Infer infer_;
};

/// Gives back what it gets, whatever that is.
inline std::shared_ptr<ToldModel> giver() {
  return std::make_shared<ToldModel>(ModelSignature{},
                                     [](const TensorMap& inputs, InferenceContext&) { return inputs; });
}

/// Counts from 1 to what it is given, one answer for each.
class Counter final : public ToldModel {
 public:
  Counter()
      : ToldModel({.inputs = {{"x", DataType::int64, {}}}, .outputs = {{"y", DataType::int64, {}}}},
                  [](const TensorMap& inputs, InferenceContext&) {
                    return TensorMap{{"y", inputs.at("x")}};
                  }) {}

  std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context) override {
    return std::make_unique<Counting>(inputs.at("x").span<const std::int64_t>()[0], context);
  }

 private:
  class Counting final : public AnswerStream {
   public:
    Counting(std::int64_t last, InferenceContext& context) : last_(last), context_(context) {}
    std::optional<TensorMap> next() override {
      if (at_ == last_) return std::nullopt;
      TensorBuffer y = context_.allocate({}, DataType::int64);
      y.span<std::int64_t>()[0] = ++at_;
      return TensorMap{{"y", y}};
    }

   private:
    std::int64_t at_ = 0;
    std::int64_t last_;
    InferenceContext& context_;
  };
};

}  // namespace remotemedia::testing
