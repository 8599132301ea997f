// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_link.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "testing/together.h"
#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// Links whose time a test moves.
class WorkerLinkTest : public EndpointTest {
 protected:
  std::unique_ptr<detail::WorkerLink> link(const ConnectOptions& options = {}) {
    return std::make_unique<detail::WorkerLink>(detail::scheme_of(kEndpoint), kEndpoint, options, link_clock_);
  }

  /// Runs `action` while time passes, a millisecond at a time, and says how much did.
  template <class Action>
  Duration time_for(Action&& action) {
    const TimePoint began = link_clock_.now();
    std::atomic<bool> over{false};
    std::thread passes([&] {
      while (!over) {
        link_clock_.advance(1ms);
        std::this_thread::sleep_for(20us);
      }
    });
    action();
    const Duration took = link_clock_.now() - began;
    over = true;
    passes.join();
    return took;
  }
  int tries_of(const std::function<void()>& action) {
    const int before = transport_.tries.count();
    action();
    return transport_.tries.count() - before;
  }

  ManualClock link_clock_;
};

TEST_F(WorkerLinkTest, TriesUntilSomebodyListens) {
  std::unique_ptr<detail::WorkerLink> made;
  const int before = transport_.tries.count();
  std::thread waits([&] { time_for([&] { made = link({.timeout = 24h, .max_retries = 0}); }); });
  transport_.tries.wait_for(before + 3);
  start();
  waits.join();
  EXPECT_FALSE(made->connection(TimePoint::max())->is_over());
}

TEST_F(WorkerLinkTest, SaysWhomItSoughtHowOftenAndWhatWasInTheWay) {
  for (int i = 0; i < 2; ++i) {
    std::optional<Error> error;
    int tries = 0;
    const Duration took = time_for([&] { tries = tries_of([&] { error = thrown([&] { link({.timeout = 5s}); }); }); });
    EXPECT_EQ(error->code(), ErrorCode::worker_unavailable);
    EXPECT_THAT(error->what(), HasSubstr(kEndpoint));
    EXPECT_THAT(error->what(), HasSubstr(std::to_string(tries) + " tr"));
    EXPECT_THAT(error->what(), HasSubstr("nobody listens"));
    EXPECT_GE(took, 5s);
    EXPECT_LT(tries, 16) << "5 s in the shortest waits that may be";
  }
}

TEST_F(WorkerLinkTest, ItsTimeIsNeverExceeded) {
  EXPECT_EQ(tries_of([&] { thrown([&] { link({.timeout = 0s}); }); }), 1);
}

TEST_F(WorkerLinkTest, ATransportThatTheSchemeHasNotIsRefused) {
  start();
  const auto by_grpc = [&] { link({.transport = Transport::grpc}); };
  EXPECT_EQ(code_thrown(by_grpc), ErrorCode::invalid_argument);
  EXPECT_THAT(thrown(by_grpc).what(), HasSubstr("grpc"));
  EXPECT_EQ(link({.transport = Transport::shared_memory})->newest()->transport(), Transport::shared_memory);
}

TEST_F(WorkerLinkTest, AConnectionThatLivesIsUsedAgain) {
  start();
  const auto one = link();
  const auto first = one->connection(TimePoint::max());
  EXPECT_EQ(one->connection(TimePoint{}), first);
  EXPECT_EQ(transport_.connections().size(), 1U);
}

TEST_F(WorkerLinkTest, TriesAgainAsOftenAsItWasTold) {
  start();
  const auto one = link({.timeout = 24h, .max_retries = 2});
  for (int i = 0; i < 2; ++i) {
    transport_.newest()->break_off();
    transport_.refuse_next(3);
    time_for([&] {
      EXPECT_EQ(tries_of([&] {
                  EXPECT_THAT(thrown([&] { one->connection(TimePoint::max()); }).what(), HasSubstr("3 tries"));
                }),
                3);
    });
    transport_.refuse_next(2);
    time_for([&] { EXPECT_EQ(tries_of([&] { one->connection(TimePoint::max()); }), 3); });
    EXPECT_FALSE(one->newest()->is_over());
  }
}

TEST_F(WorkerLinkTest, WithoutRetriesItTriesOnce) {
  start();
  const auto one = link({.timeout = 24h, .max_retries = 0});
  transport_.newest()->break_off();
  transport_.refuse_next(1);
  EXPECT_EQ(tries_of([&] { thrown([&] { one->connection(TimePoint::max()); }); }), 1);
  EXPECT_EQ(tries_of([&] { one->connection(TimePoint::max()); }), 1);
}

TEST_F(WorkerLinkTest, StopsTryingAtTheDeadlineOfWhoAsks) {
  start();
  const auto one = link({.timeout = 24h, .max_retries = 1000});
  transport_.newest()->break_off();
  transport_.refuse_next(1000);
  const Duration took = time_for([&] {
    const TimePoint deadline = link_clock_.now() + 200ms;
    const int tries =
        tries_of([&] { EXPECT_EQ(code_thrown([&] { one->connection(deadline); }), ErrorCode::worker_unavailable); });
    EXPECT_LE(tries, 5) << "200 ms in the shortest waits that may be";
  });
  EXPECT_GE(took, 200ms);
}

TEST_F(WorkerLinkTest, OneConnectsForAllWhoAsk) {
  start();
  const auto one = link({.timeout = 24h, .max_retries = 10});
  for (std::size_t round = 1; round <= 10; ++round) {
    transport_.newest()->break_off();
    transport_.refuse_next(2);
    time_for(
        [&] { EXPECT_EQ(tries_of([&] { together(4, [&](std::size_t) { one->connection(TimePoint::max()); }); }), 3); });
    EXPECT_EQ(transport_.connections().size(), round + 1);
  }
}

TEST_F(WorkerLinkTest, CloseEndsATryingAndEveryLaterOne) {
  start();
  const auto one = link({.timeout = 24h, .max_retries = 1000});
  transport_.newest()->break_off();
  transport_.refuse_next(1000);
  const int before = transport_.tries.count();
  std::thread waits(
      [&] { EXPECT_THAT(thrown([&] { one->connection(TimePoint::max()); }).what(), HasSubstr("closed")); });
  transport_.tries.wait_for(before + 1);
  one->close();
  waits.join();
  EXPECT_EQ(tries_of([&] {
              EXPECT_EQ(code_thrown([&] { one->connection(TimePoint::max()); }), ErrorCode::worker_unavailable);
            }),
            0);
  one->close();
}

}  // namespace
}  // namespace remotemedia::testing
