// SPDX-License-Identifier: Apache-2.0
//
// A worker behind a socket, and calls to it.

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::testing {

/// y = 2x, of float32 rows of any width.
class Doubler : public InferenceModel {
 public:
  explicit Doubler(std::int64_t max_batch_size = 0) : max_batch_size_(max_batch_size) {}

  std::string model_id() const override { return "doubler"; }
  ModelSignature signature() const override {
    return {.inputs = {{"x", DataType::float32, {-1}}},
            .outputs = {{"y", DataType::float32, {-1}}},
            .max_batch_size = max_batch_size_};
  }
  std::size_t memory_usage() const override { return 0; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    const TensorBuffer& x = inputs.at("x");
    TensorBuffer y = context.allocate(x.shape(), DataType::float32);
    for (std::size_t i = 0; i < x.element_count(); ++i) y.span<float>()[i] = 2 * x.span<const float>()[i];
    return {{"y", y}};
  }

 private:
  std::int64_t max_batch_size_;
};

inline TensorBuffer filled(TensorBuffer tensor, float value) {
  for (float& element : tensor.span<float>()) element = value;
  return tensor;
}

/// What a call is answered with. May outlive its test.
class Inbox {
 public:
  Inbox() : state_(std::make_shared<State>()) {}

  std::function<void(detail::Answer)> on_answer() const {
    return [state = state_](detail::Answer answer) {
      const std::lock_guard lock(state->mutex);
      state->answers.push_back(std::move(answer));
      state->came.notify_all();
    };
  }

  std::size_t count() const {
    const std::lock_guard lock(state_->mutex);
    return state_->answers.size();
  }

  detail::Answer wait_for(std::size_t number = 0) const {
    std::unique_lock lock(state_->mutex);
    state_->came.wait(lock, [&] { return state_->answers.size() > number; });
    return state_->answers[number];
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable came;
    std::vector<detail::Answer> answers;
  };
  std::shared_ptr<State> state_;
};

class ServedChannel {
 public:
  explicit ServedChannel(std::shared_ptr<InferenceModel> model, const WorkerConfig& config = {})
      : core_(std::move(model), config, "worker 1") {
    core_.start();
    listener_ = detail::unix_scheme().listen({core_, [this] { return core_.status(); }}, endpoint());
  }

  ~ServedChannel() {
    core_.stop();
    listener_->stop();
  }

  std::string endpoint() const { return "unix:" + (folder_ / "worker").string(); }
  detail::WorkerCore& core() { return core_; }
  detail::WorkerListener& listener() { return *listener_; }

  std::shared_ptr<detail::WorkerConnection> connect(std::byte id = std::byte{1}) const {
    std::array<std::byte, 16> client{};
    client.fill(id);
    return detail::unix_scheme().connect(endpoint(), client, {},
                                         later(monotonic_clock().now(), std::chrono::seconds{60}));
  }

 private:
  AddressFolder folder_;
  detail::WorkerCore core_;
  std::unique_ptr<detail::WorkerListener> listener_;
};

/// Calls and waits, as a caller of infer() does.
inline detail::Answer infer(detail::WorkerConnection& connection, TensorMap inputs) {
  Inbox inbox;
  detail::Call call;
  call.inputs = std::move(inputs);
  call.on_answer = inbox.on_answer();
  const std::uint64_t number = connection.submit(std::move(call), detail::ReceivedBy::caller);
  EXPECT_TRUE(connection.receive_until(
      number, detail::ReceivedBy::caller, [&] { return inbox.count() > 0; }, TimePoint::max()));
  return inbox.wait_for();
}

}  // namespace remotemedia::testing
