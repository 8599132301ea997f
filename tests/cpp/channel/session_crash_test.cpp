// SPDX-License-Identifier: Apache-2.0
//
// Clients and workers that are killed before or after each system call: nothing is left of them, whoever dealt with
// them goes on or hears of it, and what was read stays.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "channel/good_traffic.h"
#include "channel/served_channel.h"
#include "channel/session_resources.h"
#include "platform/conformance/peer_process.h"
#include "testing/program.h"
#include "testing/rounds.h"
#include "testing/system_faults.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using detail::Answer;
using detail::Call;
using detail::ReceivedBy;
using testing::Doubler;
using testing::filled;
using testing::Inbox;
using testing::KillAt;
using testing::PeerRole;
using testing::Program;
using testing::ServedChannel;
using testing::SessionResources;

KillAt::Moment moment_of(const std::string& word) {
  return word == "before" ? KillAt::Moment::before : KillAt::Moment::after;
}

std::shared_ptr<detail::WorkerConnection> connected(const std::string& endpoint) {
  std::array<std::byte, 16> id{};
  id.fill(std::byte{7});
  return detail::unix_scheme().connect(endpoint, id, {}, testing::soon());
}

TensorBuffer row(std::int64_t size, float value) {
  return filled(TensorBuffer::allocate({size}, DataType::float32), value);
}

/// A client's whole life: it connects, allocates, calls, reads, lets go, asks, leaves. Its `n`-th call is the last.
const PeerRole kClient("session client", [](const std::vector<std::string>& arguments) {
  const KillAt end(std::stoi(arguments.at(1)), moment_of(arguments.at(2)));
  const auto client = connected(arguments.at(0));
  const TensorBuffer in_place = filled(client->allocate({100'000}, DataType::float32), 1);
  std::vector<Answer> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(testing::infer(*client, {{"x", in_place}}));
  answers.clear();
  testing::infer(*client, {{"x", row(10, 1)}});
  const TensorBuffer larger = client->allocate({2'000'000}, DataType::float32);
  client->status(testing::soon());
  client->close_session("none");
  return 0;
});

/// A worker's: it listens, serves until its input ends, and stops.
const PeerRole kWorker("session worker", [](const std::vector<std::string>& arguments) {
  std::optional<KillAt> end;
  detail::WorkerCore core(std::make_shared<Doubler>(), {}, "worker");
  core.start();
  const auto listener = detail::unix_scheme().listen({core, [&core] { return core.status(); }}, arguments.at(0));
  std::cout << "listening" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line != "stop") end.emplace(std::stoi(line), moment_of(line.substr(line.find(' ') + 1)));
    std::cout << "yes" << std::endl;
  }
  core.stop();
  listener->stop();
  return 0;
});

Program peer(const std::string& role, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{testing::this_program(), "--role", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return Program(words);
}

TEST(SessionCrashTest, NothingIsLeftOfClientsKilledAtAnyCall) {
  ServedChannel served(std::make_shared<Doubler>());
  std::optional<const testing::GoodTraffic> good(std::in_place, served);
  peer("session client", {served.endpoint(), "1000000", "before"}).end();
  const SessionResources held = SessionResources::settled();
  const std::set<std::filesystem::path> names = testing::named_shared_memory();
  const std::uint64_t asked = testing::slow_rounds(100);
  std::uint64_t killed = 0;
  int n = 1;
  while (killed < asked) {
    for (const char* moment : {"before", "after"}) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(n) + " " + moment);
      const bool survived = peer("session client", {served.endpoint(), std::to_string(n), moment}).end() == 0;
      good->expect_progress();
      ASSERT_TRUE(held.are_the_most()) << held << "\n now" << SessionResources::now();
      if (survived) {
        EXPECT_GT(n, 30) << "it made fewer calls than that";
        n = 0;
        break;
      }
      testing::tell_progress(++killed, asked);
    }
    ++n;
  }
  EXPECT_EQ(testing::named_shared_memory(), names);
  good.reset();  // its own calls are over then
  EXPECT_EQ(served.core().status().queue_depth, 0U);
  EXPECT_EQ(served.core().status().current_load, 0U);
}

class WorkerCrashTest : public ::testing::Test {
 protected:
  std::string endpoint() const { return "unix:" + (folder_ / "worker").string(); }
  std::unique_ptr<Program> worker() const {
    auto program = std::make_unique<Program>(
        std::vector<std::string>{testing::this_program(), "--role", "session worker", endpoint()});
    EXPECT_EQ(program->hear(), "listening");
    return program;
  }

 private:
  testing::AddressFolder folder_;
};

TEST_F(WorkerCrashTest, ClientsOfWorkersKilledAtAnyCallHearOfItAndKeepWhatTheyRead) {
  const SessionResources held = SessionResources::now();
  const std::uint64_t asked = testing::slow_rounds(100);
  int n = 1;
  for (std::uint64_t killed = 0; killed < asked;) {
    for (const char* moment : {"before", "after"}) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(n) + " " + moment);
      auto program = worker();
      TensorBuffer kept;
      try {
        const auto client = connected(endpoint());
        kept = testing::infer(*client, {{"x", row(5000, 4)}}).outputs.at("y");
        program->tell(std::to_string(n) + " " + moment);
        for (int i = 0; i < 100'000; ++i) {
          const Answer answer = testing::infer(*client, {{"x", row(5000, 2)}});
          if (answer.error != nullptr) std::rethrow_exception(answer.error);
          ASSERT_EQ(answer.outputs.at("y").span<const float>()[4999], 4);
          client->status(testing::soon());
          const auto another = connected(endpoint());
          another->allocate({2'000'000}, DataType::float32);
        }
        ADD_FAILURE() << "the worker lives";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::worker_unavailable) << error.what();
      }
      EXPECT_EQ(kept.span<const float>()[4999], 8);
      program.reset();
      kept = {};
      ASSERT_EQ(SessionResources::now(), held);
      testing::tell_progress(++killed, asked);
    }
    n = n % 100 + 1;
  }
}

TEST_F(WorkerCrashTest, AllThatWaitsForAWorkerThatDiesEndsWithIt) {
  for (int twice = 0; twice < 2; ++twice) {
    const auto program = worker();
    const auto client = connected(endpoint());
    program->stop();
    std::vector<Inbox> inboxes(50);
    for (const Inbox& inbox : inboxes) {
      Call call;
      call.inputs = {{"x", row(5000, 1)}};
      call.on_answer = inbox.on_answer();
      client->submit(std::move(call), ReceivedBy::connection);
    }
    EXPECT_EQ(
        testing::code_thrown([&] { client->status(later(monotonic_clock().now(), std::chrono::milliseconds{50})); }),
        ErrorCode::deadline_exceeded);
    for (const Inbox& inbox : inboxes) EXPECT_EQ(inbox.count(), 0U);
    program->kill_9();
    for (const Inbox& inbox : inboxes) {
      EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(inbox.wait_for().error); }),
                ErrorCode::worker_unavailable);
    }
  }
}

TEST_F(WorkerCrashTest, AWorkerThatStandsStillIsWaitedForAndGoesOn) {
  const auto program = worker();
  const auto client = connected(endpoint());
  program->stop();
  Inbox inbox;
  Call call;
  call.inputs = {{"x", row(5'000'000, 3)}};  // there is no room: it asks for some, and the bytes go in pieces
  call.on_answer = inbox.on_answer();
  client->submit(std::move(call), ReceivedBy::connection);
  EXPECT_EQ(inbox.count(), 0U);
  program->go_on();
  const Answer answer = inbox.wait_for();
  ASSERT_EQ(answer.error, nullptr);
  EXPECT_EQ(answer.outputs.at("y").span<const float>()[4'999'999], 6);
}

/// Calls without end, and says so once.
const PeerRole kBusyClient("busy session client", [](const std::vector<std::string>& arguments) {
  const auto client = connected(arguments.at(0));
  testing::infer(*client, {{"x", row(5000, 1)}});
  std::cout << "calling" << std::endl;
  for (;;) testing::infer(*client, {{"x", row(5000, 1)}});
  return 0;
});

TEST(SessionCrashTest, AClientThatStandsStillHoldsNobodyUp) {
  ServedChannel served(std::make_shared<Doubler>());
  const testing::GoodTraffic good(served);
  peer("session client", {served.endpoint(), "1000000", "before"}).end();
  const SessionResources held = SessionResources::settled();
  for (int twice = 0; twice < 2; ++twice) {
    {
      Program client({testing::this_program(), "--role", "busy session client", served.endpoint()});
      EXPECT_EQ(client.hear(), "calling");
      client.stop();
      for (int i = 0; i < 20; ++i) good.expect_progress();
    }
    EXPECT_TRUE(held.come_back()) << held << "\n now" << SessionResources::now();
  }
}

}  // namespace
}  // namespace remotemedia
