// SPDX-License-Identifier: Apache-2.0
//
// What tests of a worker need: a model that does as it is told, callers, and the replies they get.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/worker/worker_core.h"
#include "testing/event_count.h"
#include "testing/thrown.h"

namespace remotemedia::testing {

/// Of rows of int64, of any width.
inline ModelSignature rows_of_numbers(std::int64_t max_batch_size) {
  const Dims shape = max_batch_size > 0 ? Dims{-1} : Dims{-1, -1};
  return {.inputs = {{"x", DataType::int64, shape}},
          .outputs = {{"y", DataType::int64, shape}},
          .max_batch_size = max_batch_size};
}

/// One row for each of `rows`, `width` wide, filled with its number.
inline TensorBuffer numbers(const std::vector<std::int64_t>& rows, std::int64_t width = 1) {
  TensorBuffer tensor = TensorBuffer::allocate({static_cast<std::int64_t>(rows.size()), width}, DataType::int64);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::int64_t i = 0; i < width; ++i) {
      tensor.span<std::int64_t>()[row * static_cast<std::size_t>(width) + static_cast<std::size_t>(i)] = rows[row];
    }
  }
  return tensor;
}

/// The first number of each row.
inline std::vector<std::int64_t> rows_in(const TensorBuffer& tensor) {
  std::vector<std::int64_t> rows;
  const TensorBuffer dense = tensor.copy();
  const std::span<const std::int64_t> all = dense.span<const std::int64_t>();
  const auto width = static_cast<std::size_t>(dense.shape()[1]);
  for (std::size_t at = 0; at < all.size(); at += width) rows.push_back(all[at]);
  return rows;
}

/// Gives y = 2x, and can be held, told to throw, or given something else to do.
class ServedModel : public InferenceModel {
 public:
  using Infer = std::function<TensorMap(const TensorMap&, InferenceContext&)>;

  explicit ServedModel(ModelSignature signature) : signature_(std::move(signature)) {}

  std::string model_id() const override { return "doubler"; }
  ModelSignature signature() const override { return signature_; }
  std::size_t memory_usage() const override { return 0; }

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    int hold = 0;
    {
      const std::lock_guard lock(mutex_);
      batches_.push_back(rows_in(inputs.at("x")));
      hold = hold_;
    }
    entered.add();
    wait_until_let_go(hold);
    left.add();
    return instead ? instead(inputs, context) : doubled(inputs, context);
  }

  static TensorMap doubled(const TensorMap& inputs, InferenceContext& context) {
    const TensorBuffer x = inputs.at("x").copy();
    TensorBuffer y = context.allocate(x.shape(), DataType::int64);
    for (std::size_t i = 0; i < x.element_count(); ++i) {
      y.span<std::int64_t>()[i] = 2 * x.span<const std::int64_t>()[i];
    }
    return {{"y", y}};
  }

  /// Until let_go(), whoever enters stays. Who is held by another time goes.
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
    ++hold_;
    let_go_.notify_all();
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    let_go_.notify_all();
  }

  /// The rows of each run so far.
  std::vector<std::vector<std::int64_t>> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

  EventCount entered;
  EventCount left;
  Infer instead;  ///< Set before the worker starts, or while nothing runs.

 private:
  void wait_until_let_go(int hold) {
    std::unique_lock lock(mutex_);
    let_go_.wait(lock, [this, hold] { return !held_ || hold_ != hold; });
  }

  ModelSignature signature_;
  mutable std::mutex mutex_;
  std::condition_variable let_go_;
  bool held_ = false;
  int hold_ = 0;
  std::vector<std::vector<std::int64_t>> batches_;
};

/// A client whose answers lie in its own, counted, memory.
class CountingCaller final : public detail::Caller {
 public:
  explicit CountingCaller(std::uint64_t client_id) : Caller(client_id) {}
  TensorBuffer allocate(const Dims& shape, DataType dtype) override {
    allocations.add();
    return TensorBuffer::allocate(shape, dtype);
  }
  EventCount allocations;
};

/// What one call was answered with.
class Reply {
 public:
  std::function<void(detail::Answer)> sink() {
    return [this](detail::Answer answer) {
      answer.inputs.clear();
      {
        const std::lock_guard lock(mutex_);
        answers_.push_back(std::move(answer));
      }
      given_.add();
    };
  }

  /// Waits for so many.
  std::vector<detail::Answer> answers(int count) {
    given_.wait_for(count);
    return so_far();
  }
  std::vector<detail::Answer> so_far() const {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

  /// Waits for the only answer.
  std::vector<std::int64_t> rows() {
    const detail::Answer answer = answers(1).front();
    if (answer.error) std::rethrow_exception(answer.error);
    return rows_in(answer.outputs.at("y"));
  }
  Error error() {
    return thrown<Error>([this] {
      const detail::Answer answer = answers(1).front();
      if (answer.error) std::rethrow_exception(answer.error);
    });
  }

 private:
  mutable std::mutex mutex_;
  EventCount given_;
  std::vector<detail::Answer> answers_;
};

/// A worker over a ServedModel, in which time stands still.
class WorkerTest : public ::testing::Test {
 protected:
  void serve(std::int64_t max_batch_size, WorkerConfig config = {}) {
    serve(std::make_shared<ServedModel>(rows_of_numbers(max_batch_size)), config);
  }
  void serve(std::shared_ptr<ServedModel> model, WorkerConfig config = {}) {
    config.clock = &clock_;
    model_ = std::move(model);
    worker_.emplace(model_, config, "worker-1");
    worker_->start();
  }

  /// A call of these rows, one number wide.
  static detail::Call call(const std::vector<std::int64_t>& rows, Reply& reply) {
    detail::Call call;
    call.inputs = {{"x", numbers(rows)}};
    call.on_answer = reply.sink();
    return call;
  }
  detail::RequestPtr submit(detail::Call call) { return worker_->submit(caller_, std::move(call)); }
  detail::RequestPtr submit(const std::vector<std::int64_t>& rows, Reply& reply) { return submit(call(rows, reply)); }
  detail::RequestPtr submit_in_session(const std::string& session, const std::vector<std::int64_t>& rows,
                                       Reply& reply) {
    detail::Call what = call(rows, reply);
    what.session_id = session;
    return submit(std::move(what));
  }

  /// Asks each millisecond, so that whoever makes it true comes to the worker's mutex too.
  template <class Condition>
  static void wait_until(Condition&& condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  void wait_until_it_drains() {
    wait_until([this] { return worker_->status().status == WorkerState::stopping; });
  }

  /// Keeps the model busy with a call of its own until model_->let_go().
  void keep_busy() {
    model_->hold();
    const int before = model_->entered.count();
    submit({-1}, first_);
    model_->entered.wait_for(before + 1);
  }

  ManualClock clock_;
  Reply first_;
  std::shared_ptr<CountingCaller> caller_ = std::make_shared<CountingCaller>(1);
  std::shared_ptr<ServedModel> model_;
  std::optional<detail::WorkerCore> worker_;  // ends first
};

}  // namespace remotemedia::testing
