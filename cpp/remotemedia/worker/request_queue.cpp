// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/request_queue.h"

#include <algorithm>
#include <utility>

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
  if (request->session) sessions_[*request->session].waiting.push_back(request->id);
  lines_[request->call.priority].push_back(std::move(request));
  ++size_;
}

bool RequestQueue::may_run(const Request& request, const BatchRules& rules) const {
  if (request.call.stream && !rules.streams_allowed) return false;
  if (!request.session) return true;
  const Turns& turns = sessions_.at(*request.session);
  return !turns.running && turns.waiting.front() == request.id;
}

RequestQueue::Batch RequestQueue::take(const BatchRules& rules, TimePoint now, std::vector<RequestPtr> memory) {
  Batch batch{std::move(memory)};
  batch.requests.clear();
  const Request* first = nullptr;
  std::vector<const Request*> others;  // that run with it
  TimePoint oldest = TimePoint::max();
  const auto is_full = [&] { return first != nullptr && (batch.rows >= rules.max_rows || first->call.stream); };
  for (auto line = lines_.begin(); line != lines_.end() && !is_full(); ++line) {
    for (auto next = line->second.begin(); next != line->second.end() && !is_full(); ++next) {
      const Request& request = **next;
      if (!may_run(request, rules)) continue;
      if (first == nullptr) {
        first = &request;
      } else if (batch.rows + request.rows > rules.max_rows || !can_run_together(*first, request)) {
        continue;
      } else {
        others.push_back(&request);
      }
      batch.rows += request.rows;
      oldest = std::min(oldest, request.accepted_at);
    }
  }
  if (first == nullptr) return batch;
  if (!is_full() && later(oldest, rules.delay) > now) return {{}, 0, later(oldest, rules.delay)};
  batch.requests.reserve(1 + others.size());
  batch.requests.push_back(leave(*first));
  for (const Request* const other : others) batch.requests.push_back(leave(*other));
  for (const RequestPtr& request : batch.requests) leave_session(*request, true);
  return batch;
}

/// Null for one that is not there.
RequestPtr RequestQueue::leave(const Request& request) {
  const auto found = lines_.find(request.call.priority);
  if (found == lines_.end()) return nullptr;
  Line& line = found->second;
  const auto number = [](const RequestPtr& one) { return one->id; };
  const bool is_oldest = !line.empty() && line.front().get() == &request;
  const auto place = is_oldest ? line.begin() : std::ranges::lower_bound(line, request.id, {}, number);
  if (place == line.end() || place->get() != &request) return nullptr;
  RequestPtr left = std::move(*place);
  is_oldest ? line.pop_front() : static_cast<void>(line.erase(place));
  if (line.empty() && found->first != 0) lines_.erase(found);
  --size_;
  return left;
}

void RequestQueue::leave_session(const Request& request, bool to_run) {
  if (!request.session) return;
  const auto turns = sessions_.find(*request.session);
  std::erase(turns->second.waiting, request.id);
  turns->second.running = turns->second.running || to_run;
  if (turns->second.waiting.empty() && !turns->second.running) sessions_.erase(turns);
}

void RequestQueue::end_turn(const Request& request) {
  if (!request.session) return;
  const auto turns = sessions_.find(*request.session);
  turns->second.running = false;
  if (turns->second.waiting.empty()) sessions_.erase(turns);
}

bool RequestQueue::remove(const Request& request) {
  const RequestPtr removed = leave(request);
  if (removed == nullptr) return false;
  leave_session(request, false);
  return true;
}

}  // namespace remotemedia::detail
