// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/request_queue.h"

#include <algorithm>

namespace remotemedia::detail {
namespace {

bool same_beyond_the_batch(const TensorBuffer& a, const TensorBuffer& b) {
  return a.dtype() == b.dtype() && a.shape().size() == b.shape().size() &&
         std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
}

bool can_run_together(const Request& a, const Request& b) {
  return !a.call.stream && !b.call.stream && a.call.parameters == b.call.parameters &&
         std::ranges::equal(a.call.inputs, b.call.inputs, [](const auto& one, const auto& other) {
           return one.first == other.first && same_beyond_the_batch(one.second, other.second);
         });
}

}  // namespace

void RequestQueue::push(RequestPtr request) {
  if (request->session) lines_[*request->session].waiting.push_back(request->id);
  const Rank rank = rank_of(*request);
  waiting_.emplace(rank, std::move(request));
}

bool RequestQueue::may_run(const Request& request, const BatchRules& rules) const {
  if (request.call.stream && !rules.streams_allowed) return false;
  if (!request.session) return true;
  const Line& line = lines_.at(*request.session);
  return !line.running && line.waiting.front() == request.id;
}

RequestQueue::Batch RequestQueue::take(const BatchRules& rules, TimePoint now, std::vector<RequestPtr> memory) {
  Batch batch{std::move(memory)};
  batch.requests.clear();
  auto first = waiting_.end();
  std::vector<decltype(first)> others;  // that run with it
  TimePoint oldest = TimePoint::max();
  for (auto next = waiting_.begin(); next != waiting_.end(); ++next) {
    const Request& request = *next->second;
    if (!may_run(request, rules)) continue;
    if (first == waiting_.end()) {
      first = next;
    } else if (batch.rows + request.rows > rules.max_rows || !can_run_together(*first->second, request)) {
      continue;
    } else {
      others.push_back(next);
    }
    batch.rows += request.rows;
    oldest = std::min(oldest, request.accepted_at);
    if (batch.rows >= rules.max_rows || request.call.stream) break;
  }
  if (first == waiting_.end()) return batch;
  const bool full = batch.rows >= rules.max_rows || first->second->call.stream;
  if (!full && later(oldest, rules.delay) > now) return {{}, 0, later(oldest, rules.delay)};
  batch.requests.reserve(1 + others.size());
  take_out(first, batch.requests);
  for (const auto& other : others) take_out(other, batch.requests);
  return batch;
}

void RequestQueue::take_out(Waiting::iterator place, std::vector<RequestPtr>& into) {
  leave_line(*place->second, true);
  into.push_back(std::move(place->second));
  waiting_.erase(place);
}

void RequestQueue::leave_line(const Request& request, bool to_run) {
  if (!request.session) return;
  const auto line = lines_.find(*request.session);
  std::erase(line->second.waiting, request.id);
  line->second.running = line->second.running || to_run;
  if (line->second.waiting.empty() && !line->second.running) lines_.erase(line);
}

void RequestQueue::end_turn(const Request& request) {
  if (!request.session) return;
  const auto line = lines_.find(*request.session);
  line->second.running = false;
  if (line->second.waiting.empty()) lines_.erase(line);
}

bool RequestQueue::remove(const Request& request) {
  const auto place = waiting_.find(rank_of(request));
  if (place == waiting_.end()) return false;
  leave_line(request, false);
  waiting_.erase(place);
  return true;
}

}  // namespace remotemedia::detail
