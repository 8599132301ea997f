// SPDX-License-Identifier: Apache-2.0
//
// Processes that stand still (SIGSTOP), clients and workers, in each kind of call: others are served meanwhile without
// a pause, and they go on where they were. And a worker that is killed with a batch in its hands.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "channel/gated_doubler.h"
#include "channel/good_traffic.h"
#include "channel/session_resources.h"
#include "platform/conformance/peer_process.h"
#include "testing/event_count.h"
#include "testing/program.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::Call;
using detail::ReceivedBy;
using testing::filled;
using testing::GatedDoubler;
using testing::Inbox;
using testing::PeerRole;
using testing::Program;
using testing::ServedChannel;
using testing::SessionResources;

constexpr std::int64_t kSize = 5000;
constexpr const char* kKinds[]{"queued", "running", "streaming", "holding outputs"};

std::shared_ptr<detail::WorkerConnection> connected(const std::string& endpoint) {
  std::array<std::byte, 16> id{};
  id.fill(std::byte{7});
  return detail::unix_scheme().connect(endpoint, id, {}, testing::soon());
}

TensorBuffer row(float value, std::int64_t rows = 0) {
  const Dims shape = rows > 0 ? Dims{rows, kSize} : Dims{kSize};
  return filled(TensorBuffer::allocate(shape, DataType::float32), value);
}

bool is_all(const Answer& answer, float value) {
  if (answer.error != nullptr) return false;
  return std::ranges::all_of(answer.outputs.at("y").span<const float>(), [&](float y) { return y == value; });
}

/// Calls of one kind, of a client that may stand still between their begin and their end.
class CallsOfAKind {
 public:
  CallsOfAKind(detail::WorkerConnection& connection, std::string kind)
      : connection_(connection), kind_(std::move(kind)) {
    if (kind_ == "queued") submit(-1), submit(-1);  // of one session: one runs, one waits
    if (kind_ == "running") submit(-1);
    if (kind_ == "streaming") submit(3);
    if (kind_ == "holding outputs") {
      for (int i = 0; i < 3; ++i) kept_.push_back(testing::infer(connection_, {{"x", row(3)}}));
    }
    if (kind_ == "streaming") (void)inboxes_[0].wait_for(0);
  }

  /// Once a gate is open where there is one: all is answered, and right.
  bool end_well() {
    if (kind_ == "holding outputs") return std::ranges::all_of(kept_, [](const Answer& one) { return is_all(one, 6); });
    if (kind_ != "streaming") {
      return std::ranges::all_of(inboxes_, [](const Inbox& inbox) { return is_all(inbox.wait_for(), -2); });
    }
    for (std::size_t i = 0; i < GatedDoubler::kAnswers; ++i) {
      if (!is_all(inboxes_[0].wait_for(i), 6)) return false;
      connection_.answers_read(number_, 1);
    }
    const Answer last = inboxes_[0].wait_for(GatedDoubler::kAnswers);
    return last.last && last.error == nullptr;
  }

 private:
  void submit(float value) {
    const Inbox& inbox = inboxes_.emplace_back();
    Call call;
    call.inputs = {{"x", row(value)}};
    call.on_answer = inbox.on_answer();
    call.stream = kind_ == "streaming";
    if (kind_ == "queued") call.session_id = "one at a time";
    number_ = connection_.submit(std::move(call), ReceivedBy::connection);
  }

  detail::WorkerConnection& connection_;
  const std::string kind_;
  std::uint64_t number_ = 0;
  std::vector<Inbox> inboxes_;
  std::vector<Answer> kept_;
};

/// Begins calls of a kind, and ends them when it is told to.
const PeerRole kClient("client that may stand still", [](const std::vector<std::string>& arguments) {
  const auto client = connected(arguments.at(0));
  CallsOfAKind calls(*client, arguments.at(1));
  std::cout << "begun" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  std::cout << (calls.end_well() ? "right" : "wrong") << std::endl;
  std::getline(std::cin, line);
  return 0;
});

/// Who holds others up does so each time; a machine that gives its processors to somebody else does not.
bool never_held_up(testing::GoodTraffic& good) {
  constexpr int kCalls = 500;
  constexpr int kAttempts = 10;
  for (int i = 0; i < kAttempts; ++i) {
    if (good.longest_gap(kCalls) <= std::chrono::milliseconds{50}) return true;
  }
  return false;
}

TEST(StoppedClientTest, HoldsNobodyUpAndGoesOnWhereItWas) {
  testing::EventCount running;
  testing::EventCount gates;
  WorkerConfig config;
  config.instances = 2;
  config.concurrent_streams = 2;
  int opened = 0;
  std::atomic<int> waits{0};
  ServedChannel served(std::make_shared<GatedDoubler>(0,
                                                      [&](std::int64_t) {
                                                        const int mine = ++waits;
                                                        running.add();
                                                        gates.wait_for(mine);
                                                      }),
                       config);
  testing::GoodTraffic good(served);
  const SessionResources held = SessionResources::settled();
  for (const std::string kind : kKinds) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, kind);
    {
      Program client({testing::this_program(), "--role", "client that may stand still", served.endpoint(), kind});
      EXPECT_EQ(client.hear(), "begun");
      const int gated = kind == "queued" ? 2 : kind == "running" ? 1 : 0;
      if (gated > 0) running.wait_for(opened + 1);
      client.stop();
      EXPECT_TRUE(never_held_up(good));
      for (int i = 0; i < gated; ++i) gates.add();
      opened += gated;
      running.wait_for(opened);
      EXPECT_TRUE(never_held_up(good)) << "it is answered";
      client.go_on();
      EXPECT_EQ(client.ask("end"), "right");
      client.stop();  // and ends while it stands still
    }
    EXPECT_TRUE(held.come_back()) << held << "\n now" << SessionResources::now();
  }
}

/// A worker whose gated calls wait for its input.
const PeerRole kWorker("worker that may stand still", [](const std::vector<std::string>& arguments) {
  testing::EventCount gates;
  std::atomic<int> waits{0};
  WorkerConfig config;
  config.concurrent_streams = 2;
  const std::int64_t batch = std::stoi(arguments.at(1));
  detail::WorkerCore core(std::make_shared<GatedDoubler>(batch,
                                                         [&](std::int64_t rows) {
                                                           const int mine = ++waits;
                                                           std::cout << "running " + std::to_string(rows) << std::endl;
                                                           gates.wait_for(mine);
                                                         }),
                          config, "worker");
  core.start();
  const auto listener = detail::unix_scheme().listen({core, [&core] { return core.status(); }}, arguments.at(0));
  std::cout << "listening" << std::endl;
  for (std::string line; std::getline(std::cin, line);) gates.add();
  for (int i = 0; i < 100; ++i) gates.add();
  core.stop();
  listener->stop();
  return 0;
});

class StoppedWorkerTest : public ::testing::Test {
 protected:
  std::string endpoint() const { return "unix:" + (folder_ / "worker").string(); }
  std::unique_ptr<Program> worker(int max_batch_size = 0) const {
    auto program = std::make_unique<Program>(std::vector<std::string>{
        testing::this_program(), "--role", "worker that may stand still", endpoint(), std::to_string(max_batch_size)});
    EXPECT_EQ(program->hear(), "listening");
    return program;
  }

 private:
  testing::AddressFolder folder_;
};

TEST_F(StoppedWorkerTest, HoldsNobodyElsesCallsUpAndGoesOnWhereItWas) {
  ServedChannel other(std::make_shared<testing::Doubler>());
  testing::GoodTraffic good(other);
  for (const std::string kind : kKinds) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, kind);
    const auto program = worker();
    const auto client = connected(endpoint());
    CallsOfAKind calls(*client, kind);
    if (kind == "queued" || kind == "running") {
      EXPECT_EQ(program->hear(), "running " + std::to_string(kSize));
    }
    program->stop();
    EXPECT_TRUE(never_held_up(good));
    EXPECT_EQ(
        testing::code_thrown([&] { client->status(later(monotonic_clock().now(), std::chrono::milliseconds{20})); }),
        ErrorCode::deadline_exceeded);
    program->go_on();
    for (int gate = 0; gate < 2; ++gate) program->tell("open");
    EXPECT_TRUE(calls.end_well());
    EXPECT_TRUE(is_all(testing::infer(*client, {{"x", row(3)}}), 6));
  }
}

TEST_F(StoppedWorkerTest, KilledWithABatchInItsHandsItIsGoneForAllThatWaitAndWhatWasReadStays) {
  for (int twice = 0; twice < 2; ++twice) {
    const auto program = worker(8);
    const auto client = connected(endpoint());
    const Answer kept = testing::infer(*client, {{"x", row(3, 1)}});
    std::vector<Inbox> inboxes(9);
    for (const Inbox& inbox : inboxes) {
      Call call;
      call.inputs = {{"x", row(-1, 1)}};
      call.on_answer = inbox.on_answer();
      client->submit(std::move(call), ReceivedBy::connection);
      if (&inbox == &inboxes.front()) {
        EXPECT_EQ(program->hear(), "running 1");
      }
    }
    while (client->status(testing::soon()).queue_depth < 8) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    EXPECT_EQ(program->ask("open"), "running 8");
    EXPECT_TRUE(is_all(inboxes[0].wait_for(), -2));
    program->kill_9();
    for (std::size_t i = 1; i < inboxes.size(); ++i) {
      const Answer answer = inboxes[i].wait_for();
      EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(answer.error); }), ErrorCode::worker_unavailable);
    }
    EXPECT_TRUE(is_all(kept, 6));
    EXPECT_TRUE(is_all(inboxes[0].wait_for(), -2));
    for (std::size_t i = 1; i < inboxes.size(); ++i) EXPECT_EQ(inboxes[i].count(), 1U);
  }
}

}  // namespace
}  // namespace remotemedia
