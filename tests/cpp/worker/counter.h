// SPDX-License-Identifier: Apache-2.0
//
// Counter: a model that gives many answers to one request.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>

#include "testing/event_count.h"
#include "worker/served_model.h"

namespace remotemedia::testing {

/// Counts from 1 to the number that it was given; at 13 it throws.
class Counter final : public ServedModel {
 public:
  Counter() : ServedModel(rows_of_numbers(8)) {}

  std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context) override {
    return std::make_unique<Counting>(*this, rows_in(inputs.at("x")).front(), context);
  }

  EventCount resumed;
  EventCount closed;

 private:
  class Counting final : public AnswerStream {
   public:
    Counting(Counter& counter, std::int64_t last, InferenceContext& context)
        : counter_(counter), last_(last), context_(context) {}
    ~Counting() override { counter_.closed.add(); }
    std::optional<TensorMap> next() override {
      counter_.resumed.add();
      if (at_ == last_) return std::nullopt;
      if (++at_ == 13) throw std::runtime_error("13 is no number");
      TensorBuffer y = context_.allocate({1, 1}, DataType::int64);
      y.span<std::int64_t>()[0] = at_;
      return TensorMap{{"y", y}};
    }

   private:
    Counter& counter_;
    std::int64_t at_ = 0;
    std::int64_t last_;
    InferenceContext& context_;
  };
};

}  // namespace remotemedia::testing
