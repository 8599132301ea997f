// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <random>

#include "testing/rounds.h"
#include "testing/together.h"
#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using namespace std::chrono_literals;

/// Throws at every row that 7 divides, and knows whether two of a session ever ran at once.
class BusyModel final : public ServedModel {
 public:
  BusyModel() : ServedModel(stateful()) {}

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    for (RequestInfo& request : context.requests()) {
      if (request.session_id == nullptr) continue;
      const auto running = std::any_cast<std::shared_ptr<std::atomic<int>>>(request.state);
      if (running->fetch_add(1) != 0) overlapped = true;
    }
    TensorMap outputs = doubled(inputs, context);
    for (RequestInfo& request : context.requests()) {
      if (request.session_id != nullptr) --*std::any_cast<std::shared_ptr<std::atomic<int>>>(request.state);
    }
    for (const std::int64_t row : rows_in(inputs.at("x"))) {
      if (row % 7 == 0) throw std::runtime_error("7");
    }
    return outputs;
  }
  std::any open_session(const std::string&) override {
    ++open;
    return std::make_shared<std::atomic<int>>(0);
  }
  void close_session(const std::string&, const std::any&) override { --open; }

  std::atomic<bool> overlapped = false;
  std::atomic<int> open = 0;

 private:
  static ModelSignature stateful() {
    ModelSignature signature = rows_of_numbers(8);
    signature.stateful = true;
    return signature;
  }
};

TEST(WorkerStressTest, EveryCallIsAnsweredOnceWhateverHappensBesides) {
  const auto model = std::make_shared<BusyModel>();
  WorkerConfig config;
  config.instances = 3;
  config.max_queue = 64;
  config.batch_delay = 1us;
  detail::WorkerCore worker(model, config, "worker-1");
  worker.start();
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> rejected = 0;
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<bool> wrong = false;
  const std::uint64_t calls = slow_rounds(2'000);
  together(4, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    const auto caller = std::make_shared<CountingCaller>(thread);
    std::vector<detail::RequestPtr> requests;
    for (std::uint64_t i = 0; i < calls; ++i) {
      const std::int64_t row = random() % 100;
      detail::Call call;
      call.inputs = {{"x", numbers({row})}};
      call.stream = random() % 8 == 0;
      if (random() % 3 == 0) call.session_id = "session " + std::to_string(random() % 3);
      if (random() % 5 == 0)
        call.deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 500);
      call.priority = static_cast<int>(random() % 3);
      auto last_given = std::make_shared<std::atomic<bool>>(false);
      call.on_answer = [&, row, last_given](const detail::Answer& answer) {
        if (last_given->load()) wrong = true;
        if (!answer.outputs.empty() && rows_in(answer.outputs.at("y")) != std::vector<std::int64_t>{2 * row})
          wrong = true;
        if (!answer.last) return;
        *last_given = true;
        ++answered;
      };
      try {
        requests.push_back(worker.submit(caller, std::move(call)));
        ++accepted;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::rejected) wrong = true;
        ++rejected;
      }
      if (random() % 4 == 0 && !requests.empty()) worker.cancel(requests[random() % requests.size()]);
      if (random() % 200 == 0) worker.close_client(thread);
      if (random() % 50 == 0) worker.healthy();
      if (random() % 50 == 0) worker.status();
    }
  });
  EXPECT_TRUE(worker.drain(60s));
  EXPECT_EQ(answered, accepted);
  const WorkerInfo info = worker.status();
  EXPECT_EQ(info.total_requests, accepted);
  EXPECT_EQ(info.rejected_requests, rejected);
  EXPECT_EQ(info.current_load, 0U);
  EXPECT_EQ(info.queue_depth, 0U);
  worker.stop();
  EXPECT_FALSE(wrong);
  EXPECT_FALSE(model->overlapped);
  EXPECT_EQ(model->open, 0);
}

}  // namespace
}  // namespace remotemedia::testing
