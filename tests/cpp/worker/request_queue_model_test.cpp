// SPDX-License-Identifier: Apache-2.0
//
// RequestQueue against a slow one that says what is meant: it looks at everything for every answer.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/worker/request_queue.h"
#include "testing/random_source.h"
#include "testing/rounds.h"
#include "worker/accepted_requests.h"

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;
using testing::RandomSource;

/// A request, and what a queue has to know of it. Those of one kind may run together.
struct Known {
  RequestPtr request;
  std::uint64_t kind = 0;

  bool is_stream() const { return request->call.stream; }
  int priority() const { return request->call.priority; }
};

class SlowQueue {
 public:
  void push(const Known& known) { waiting_.push_back(known); }

  RequestQueue::Batch take(const BatchRules& rules, TimePoint now) {
    std::vector<Known> batch;
    std::int64_t rows = 0;
    for (const Known& next : by_priority()) {
      const bool comes_first = batch.empty();
      if (!may_run(next, rules)) continue;
      if (!comes_first && (rows + next.request->rows > rules.max_rows || next.is_stream() ||
                           batch.front().is_stream() || next.kind != batch.front().kind)) {
        continue;
      }
      batch.push_back(next);
      rows += next.request->rows;
    }
    if (batch.empty()) return {};
    const auto oldest = std::ranges::min(batch, {}, [](const Known& one) { return one.request->accepted_at; });
    const TimePoint ready_at = oldest.request->accepted_at + rules.delay;
    if (!batch.front().is_stream() && rows < rules.max_rows && ready_at > now) return {{}, 0, ready_at};
    RequestQueue::Batch taken{{}, rows};
    for (const Known& one : batch) {
      taken.requests.push_back(one.request);
      remove(one.request);
      if (one.request->session) busy_.insert(*one.request->session);
    }
    return taken;
  }

  void end_turn(const RequestPtr& request) {
    if (request->session) busy_.erase(*request->session);
  }

  bool remove(const RequestPtr& request) {
    return std::erase_if(waiting_, [&](const Known& one) { return one.request == request; }) > 0;
  }

  std::size_t size() const { return waiting_.size(); }

 private:
  std::vector<Known> by_priority() const {
    std::vector<Known> sorted = waiting_;
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &Known::priority);
    return sorted;
  }

  bool may_run(const Known& known, const BatchRules& rules) const {
    if (known.is_stream() && !rules.streams_allowed) return false;
    if (!known.request->session) return true;
    const auto oldest = std::ranges::find_if(
        waiting_, [&](const Known& one) { return one.request->session == known.request->session; });
    return oldest->request == known.request && !busy_.contains(*known.request->session);
  }

  std::vector<Known> waiting_;  // in the order of acceptance
  std::set<SessionKey> busy_;
};

/// Where each request that was accepted has gone.
class Whereabouts {
 public:
  enum class Place { waits, runs, ended };

  void accepted(const RequestPtr& request) { places_[request] = Place::waits; }

  /// False where it could not be there.
  bool began(const RequestPtr& request) {
    const bool waited = std::exchange(places_.at(request), Place::runs) == Place::waits;
    return waited && (!request->session || running_sessions_.insert(*request->session).second);
  }
  bool left(const RequestPtr& request) { return std::exchange(places_.at(request), Place::ended) == Place::waits; }
  void ended(const RequestPtr& request) {
    places_.at(request) = Place::ended;
    if (request->session) running_sessions_.erase(*request->session);
  }

  std::vector<RequestPtr> at(Place place) const {
    std::vector<RequestPtr> all;
    for (const auto& [request, its_place] : places_) {
      if (its_place == place) all.push_back(request);
    }
    std::ranges::sort(all, {}, [](const RequestPtr& request) { return request->id; });
    return all;
  }

 private:
  std::map<RequestPtr, Place> places_;
  std::set<SessionKey> running_sessions_;
};

using Place = Whereabouts::Place;

/// Kinds differ in shape, data type or parameters.
constexpr std::uint64_t kKinds = 4;

Known random_request(RandomSource& random, testing::AcceptedRequests& accepted, TimePoint now, std::int64_t max_rows) {
  const std::uint64_t kind = random.below(kKinds) * random.below(2);  // more often the first
  const std::int64_t rows = random.between(1, std::max<std::int64_t>(max_rows, 1));
  Call call;
  call.inputs.emplace("x",
                      TensorBuffer::allocate({rows, kind == 1 ? 3 : 2}, kind == 2 ? DataType::int8 : DataType::uint8));
  if (kind == 3) call.parameters.emplace("p", true);
  call.priority = static_cast<int>(random.between(-1, 1)) * static_cast<int>(random.below(2));
  call.stream = random.once_in(6);
  if (random.once_in(2)) call.session_id = std::string(1, static_cast<char>('a' + random.below(3)));
  return {accepted.accept(std::move(call), rows, now, 1 + random.below(2)), kind};
}

class Comparison {
 public:
  explicit Comparison(RandomSource& random) : random_(random), max_rows_(random.between(0, 5)) {}

  void step() {
    now_ += Duration(random_.below(3));
    switch (random_.below(11)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        accept();
        break;
      case 5:
      case 6:
      case 7:
        take({.max_rows = max_rows_,
              .delay = Duration(random_.below(2) * random_.below(20)),
              .streams_allowed = !random_.once_in(3)});
        break;
      case 8:
      case 9:
        if (const RequestPtr running = any_at(Place::runs)) end(running);
        break;
      default:
        remove();
    }
    ASSERT_EQ(queue_.size(), slow_.size());
    ASSERT_EQ(queue_.size(), whereabouts_.at(Place::waits).size());
  }

  /// Whatever still waits can run, and then nothing is left.
  void finish() {
    while (queue_.size() > 0) {
      const std::size_t before = queue_.size();
      for (const RequestPtr& running : whereabouts_.at(Place::runs)) end(running);
      ASSERT_NO_FATAL_FAILURE(take({.max_rows = max_rows_}));
      ASSERT_LT(queue_.size(), before);
    }
    ASSERT_TRUE(whereabouts_.at(Place::waits).empty());
  }

  std::size_t batches() const { return batches_; }
  std::size_t delays() const { return delays_; }

 private:
  void accept() {
    const Known known = random_request(random_, accepted_, now_, max_rows_);
    whereabouts_.accepted(known.request);
    slow_.push(known);
    queue_.push(known.request);
  }

  void take(const BatchRules& rules) {
    const RequestQueue before = queue_;
    const RequestQueue::Batch batch = queue_.take(rules, now_);
    const RequestQueue::Batch expected = slow_.take(rules, now_);
    ASSERT_EQ(batch.requests, expected.requests);
    ASSERT_EQ(batch.rows, expected.rows);
    if (batch.requests.empty()) {
      ASSERT_EQ(batch.ready_at, expected.ready_at);
      ASSERT_NO_FATAL_FAILURE(expect_ready_then(before, rules, batch.ready_at));
    }
    for (const RequestPtr& request : batch.requests) {
      ASSERT_TRUE(whereabouts_.began(request)) << "lost, twice, or beside another of its session: " << request->id;
    }
    batches_ += batch.requests.size() > 1 ? 1 : 0;
  }

  /// Not before, and not much later.
  void expect_ready_then(const RequestQueue& queue, const BatchRules& rules, TimePoint ready_at) {
    RequestQueue just_before = queue;
    ASSERT_TRUE(just_before.take(rules, ready_at - 1ns).requests.empty());
    if (ready_at == TimePoint::max()) return;
    ++delays_;
    RequestQueue then = queue;
    ASSERT_FALSE(then.take(rules, ready_at).requests.empty());
  }

  void end(const RequestPtr& running) {
    whereabouts_.ended(running);
    slow_.end_turn(running);
    queue_.end_turn(*running);
  }

  /// Also what is not there any more.
  void remove() {
    const RequestPtr request = any_at(static_cast<Place>(random_.below(3)));
    if (request == nullptr) return;
    const bool was_there = queue_.remove(*request);
    ASSERT_EQ(was_there, slow_.remove(request));
    ASSERT_TRUE(!was_there || whereabouts_.left(request)) << request->id;
  }

  RequestPtr any_at(Place place) {
    const std::vector<RequestPtr> there = whereabouts_.at(place);
    return there.empty() ? nullptr : there[random_.below(there.size())];
  }

  RandomSource& random_;
  const std::int64_t max_rows_;
  testing::AcceptedRequests accepted_;
  RequestQueue queue_;
  SlowQueue slow_;
  Whereabouts whereabouts_;
  TimePoint now_{1h};
  std::size_t batches_ = 0;
  std::size_t delays_ = 0;
};

TEST(RequestQueueModelTest, GivesWhatASlowQueueGivesAndLosesNothing) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  std::size_t batches = 0;
  std::size_t delays = 0;
  const std::uint64_t rounds = testing::slow_rounds(1000);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Comparison comparison(random);
    for (int step = 0; step < 200; ++step) {
      ASSERT_NO_FATAL_FAILURE(comparison.step()) << "round " << round << ", step " << step;
    }
    ASSERT_NO_FATAL_FAILURE(comparison.finish()) << "round " << round;
    batches += comparison.batches();
    delays += comparison.delays();
    testing::tell_progress(round + 1, rounds);
  }
  EXPECT_GT(batches, rounds / 2);
  EXPECT_GT(delays, rounds / 2);
}

}  // namespace
}  // namespace remotemedia::detail
