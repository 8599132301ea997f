// SPDX-License-Identifier: Apache-2.0
//
// A Doubler whose calls wait where the first element is below 0, until they may go on; and whose streams give the same
// many times.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "channel/served_channel.h"

namespace remotemedia::testing {

class GatedDoubler final : public Doubler {
 public:
  static constexpr int kAnswers = 40;  ///< Of a stream.

  /// `wait` is told how many rows a call has that waits, and returns when it may go on.
  GatedDoubler(std::int64_t max_batch_size, std::function<void(std::int64_t rows)> wait)
      : Doubler(max_batch_size), wait_(std::move(wait)) {}

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    const TensorBuffer& x = inputs.at("x");
    if (x.element_count() > 0 && x.span<const float>()[0] < 0) wait_(x.shape()[0]);
    return Doubler::infer(inputs, context);
  }

  std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context) override {
    return std::make_unique<Many>(*this, inputs, context);
  }

 private:
  class Many final : public AnswerStream {
   public:
    Many(GatedDoubler& model, const TensorMap& inputs, InferenceContext& context)
        : model_(model), inputs_(inputs), context_(context) {}
    std::optional<TensorMap> next() override {
      if (given_++ == kAnswers) return std::nullopt;
      return model_.infer(inputs_, context_);
    }

   private:
    GatedDoubler& model_;
    const TensorMap& inputs_;
    InferenceContext& context_;
    int given_ = 0;
  };

  std::function<void(std::int64_t)> wait_;
};

}  // namespace remotemedia::testing
