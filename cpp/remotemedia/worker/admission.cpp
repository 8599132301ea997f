// SPDX-License-Identifier: Apache-2.0
//
// Calls as they come in, and as they end before the model has answered.

#include <algorithm>
#include <atomic>
#include <utility>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

Caller::~Caller() = default;

std::uint64_t new_client_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}
CallSource::~CallSource() = default;

RequestPtr WorkerCore::submit(const std::shared_ptr<Caller>& caller, Call&& call) {
  const std::int64_t rows = check_inputs({model_id_, signature_, max_batch_size_}, call.inputs);
  const TimePoint now = clock_.now();
  MutexLock lock(mutex_);
  check_accepts(*caller);
  last_accepted_at_ = std::max(last_accepted_at_, now);
  came_by(caller->place());
  auto request =
      std::allocate_shared<Request>(RecyclingAllocator<Request>(), ++last_id_, caller, std::move(call), rows, now);
  if (is_traced(request->call)) request->trace = begun_trace(*request);
  Requests& unanswered = unanswered_[caller->client_id()];
  request->unanswered_at = unanswered.size();
  unanswered.push_back(request);
  if (request->session) sessions_.add_request(*request->session);
  if (request->call.deadline != TimePoint::max()) {
    deadlines_.emplace(request->call.deadline, request);
    attend_at(request->call.deadline);
  }
  queue_.push(request);
  notify_work();
  return request;
}

void WorkerCore::check_accepts(const Caller& caller) {
  switch (state_) {
    case WorkerState::ready:
    case WorkerState::busy:
      break;
    case WorkerState::stopping:
      reject("is draining and takes no more: ask again when another worker serves here");
    case WorkerState::starting:
    case WorkerState::terminated:
      throw Error(ErrorCode::worker_unavailable, "the worker of model '" + model_id_ + "' is " +
                                                     (state_ == WorkerState::starting ? "starting" : "terminated"));
  }
  if (queue_.size() >= config_.max_queue) {
    reject("has " + std::to_string(queue_.size()) + " requests waiting, and max_queue is " +
           std::to_string(config_.max_queue) + ": ask again when some are answered");
  }
  const auto client = unanswered_.find(caller.client_id());
  if (client != unanswered_.end() && client->second.size() >= config_.max_concurrent_requests) {
    reject("has " + std::to_string(client->second.size()) +
           " unanswered requests of this client, and max_concurrent_requests is " +
           std::to_string(config_.max_concurrent_requests) + ": wait for some of them");
  }
}

void WorkerCore::reject(const std::string& why) {
  statistics_.count_rejection();
  throw Error(ErrorCode::rejected, "the worker of model '" + model_id_ + "' " + why);
}

void WorkerCore::cancel(const RequestPtr& request) {
  Answers answers;
  {
    MutexLock lock(mutex_);
    end_early(request, Outcome::cancelled, error(ErrorCode::cancelled, "the call was cancelled"), answers);
    notify_work();
  }
  give(answers);
}

void WorkerCore::answers_read(const RequestPtr& request, std::size_t count) {
  MutexLock lock(mutex_);
  request->unread_answers -= std::min(count, request->unread_answers);
  notify_work();
}

void WorkerCore::close_session(const SessionKey& session) {
  MutexLock lock(mutex_);
  sessions_.close(session);
  notify_work();
}

void WorkerCore::close_client(std::uint64_t client_id) {
  Answers answers;
  {
    MutexLock lock(mutex_);
    const auto gone = error(ErrorCode::cancelled, "its client has gone");
    for (const RequestPtr& request : Requests(unanswered_[client_id])) {
      end_early(request, Outcome::cancelled, gone, answers);
    }
    unanswered_.erase(client_id);
    sessions_.close_client(client_id);
    notify_work();
  }
  give(answers);
}

bool WorkerCore::end(const RequestPtr& request, Outcome outcome, TimePoint now) {
  if (request->over.exchange(true)) return false;
  ++answers_on_their_way_;
  statistics_.count_end(outcome, now - request->accepted_at);
  if (outcome == Outcome::answered) {
    statistics_.count_times(request->began_at - request->accepted_at, now - request->began_at);
  }
  Requests& unanswered = unanswered_[request->caller->client_id()];
  unanswered.back()->unanswered_at = request->unanswered_at;
  unanswered[request->unanswered_at] = std::move(unanswered.back());
  unanswered.pop_back();
  if (request->call.deadline != TimePoint::max()) deadlines_.erase({request->call.deadline, request});
  return true;
}

void WorkerCore::end_early(const RequestPtr& request, Outcome outcome, const std::exception_ptr& error,
                           Answers& answers) {
  if (!end(request, outcome, clock_.now())) return;
  Answer last{{}, error, true};
  if (request->giving) {
    request->last_answer = std::move(last);
    return;
  }
  if (request->place == Request::Place::queued) {
    queue_.remove(*request);
    leave_session(*request);
    last.inputs.swap(request->call.inputs);
  }
  answers.push_back({request, std::move(last)});
}

void WorkerCore::leave_session(const Request& request) {
  if (!request.session) return;
  const TimePoint now = clock_.now();
  sessions_.end_request(*request.session, now);
  attend_at(later(now, config_.session_idle));
}

bool WorkerCore::is_finished() const {
  return answers_on_their_way_ == 0 &&
         std::ranges::all_of(unanswered_, [](const auto& client) { return client.second.empty(); }) &&
         std::ranges::all_of(instances_, [](const auto& instance) { return instance->load == 0; });
}

void WorkerCore::give_up_all(Answers& answers) {
  const auto over = error(ErrorCode::worker_unavailable, "it ended before it could answer");
  for (const auto& [client_id, requests] : std::map<std::uint64_t, Requests>(unanswered_)) {
    for (const RequestPtr& request : requests) end_early(request, Outcome::unfinished, over, answers);
  }
  notify_work();
}

std::exception_ptr WorkerCore::error(ErrorCode code, const std::string& what) const {
  return std::make_exception_ptr(Error(code, "model '" + model_id_ + "': " + what));
}

std::exception_ptr WorkerCore::too_late() const {
  return error(ErrorCode::deadline_exceeded, "the call's deadline has passed");
}

void WorkerCore::give(Answers& answers) {
  if (answers.empty()) return;
  for (Given& given : answers) give_last(given.request, std::move(given.answer));
  {
    MutexLock lock(mutex_);
    count_given(answers.size());
  }
  answers.clear();
}

void WorkerCore::give_last(const RequestPtr& request, Answer&& last) {
  if (is_traced(request->call)) {
    give_traced(request, std::move(last));
  } else {
    request->call.on_answer(std::move(last));
  }
}

void WorkerCore::count_given(std::size_t answers) {
  answers_on_their_way_ -= answers;
  if (answers > 0 && answers_on_their_way_ == 0) finished_.notify_all();
}

}  // namespace remotemedia::detail
