// SPDX-License-Identifier: Apache-2.0
//
// WorkerCore: what ModelWorker is made of, without endpoints. Whoever brings calls in submits them; answers go back by
// the call's own function.
//
// One mutex guards the book: the queue, who runs, the sessions, the counts. While it is held nothing of the user's
// runs: no model, no answer, no tensor's end. Each instance is a thread that runs the model; one more, the attendant,
// answers for what is late while the model runs, closes idle sessions and watches for a call that hangs.
//
// worker_core.cpp: begin, end, status. admission.cpp: calls in, and out early. running.cpp: the instances.
// next_work.cpp: what they do next. streams.cpp: many answers to one request. attendant.cpp: deadlines, idle sessions,
// the watchdog. tracing.cpp: what became of calls that belong to a trace.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/idle_spin.h"
#include "remotemedia/worker/inference_model.h"
#include "remotemedia/worker/model_memory.h"
#include "remotemedia/worker/request.h"
#include "remotemedia/worker/request_queue.h"
#include "remotemedia/worker/session_table.h"
#include "remotemedia/worker/signature_check.h"
#include "remotemedia/worker/worker_config.h"
#include "remotemedia/worker/worker_info.h"
#include "remotemedia/worker/worker_statistics.h"

namespace remotemedia::detail {

/// Threads:  all functions may be called from any thread, start() and stop() excepted: from one.
class REMOTEMEDIA_API WorkerCore {
 public:
  /// Errors:  invalid_argument for an option or a signature that makes no sense.
  WorkerCore(std::shared_ptr<InferenceModel> model, const WorkerConfig& config, std::string worker_id);
  ~WorkerCore();
  WorkerCore(const WorkerCore&) = delete;
  WorkerCore& operator=(const WorkerCore&) = delete;

  const std::string& model_id() const noexcept { return model_id_; }
  std::string device() const { return model_->device(); }
  std::size_t memory_usage() const { return model_->memory_usage(); }
  const ModelSignature& signature() const noexcept { return signature_; }
  const WorkerConfig& config() const noexcept { return config_; }

  /// Rows that a call may have; 0: the model does not batch.
  std::int64_t max_batch_size() const noexcept { return max_batch_size_; }

  /// Warms the model up on an instance, then takes calls. Once.
  ///
  /// Errors:  load_failed with what the model threw as its cause; the worker is terminated then.
  void start();

  /// Has instances look at `source`, one at a time, until remove_source(), which waits for them. Of several they choose
  /// the one by which the last calls came.
  void add_source(CallSource& source);
  void remove_source(const CallSource& source);

  /// Errors:  invalid_tensor, as check_inputs; rejected, which names the limit; worker_unavailable when it does not
  /// run.
  RequestPtr submit(const std::shared_ptr<Caller>& caller, Call&& call);

  /// Answers with cancelled, now. One that waits never runs, a model that runs it is told.
  void cancel(const RequestPtr& request);

  /// So many answers of a stream were taken.
  void answers_read(const RequestPtr& request, std::size_t count);

  void close_session(const SessionKey& session);

  /// Cancels what the client waits for and closes its sessions.
  void close_client(std::uint64_t client_id);

  /// Refuses new calls and waits for those that were accepted; after `timeout` (none: the config's) what still waits is
  /// answered with worker_unavailable. Says whether all were finished.
  ///
  /// given_up:  asked several times a second, without a lock, whether to stop waiting: it drains on, without a
  /// deadline.
  ///
  /// Errors:    cancelled, when it was given up.
  bool drain(std::optional<Duration> timeout = std::nullopt, const std::function<bool()>& given_up = {});

  /// Ends it: answers what waits with worker_unavailable, waits for the model to come back, closes sessions and model.
  /// Twice is once.
  void stop();

  WorkerInfo status() const;
  ModelMemory& memory() noexcept { return memory_; }

  WorkerCounts counts() const;
  LatencyHistogram latencies() const;

  /// The model's last answer, unless it hangs or the worker does not run.
  bool healthy();

 private:
  /// A stream that has begun.
  struct OpenStream {
    RequestPtr request;
    TensorMap inputs;
    std::unique_ptr<InferenceContext> context;
    std::unique_ptr<AnswerStream> answers;
    bool in_hand = true;  ///< An instance is at it.
  };
  using StreamPtr = std::shared_ptr<OpenStream>;
  struct AskHealth {};
  using Requests = std::vector<RequestPtr>;
  using Work = std::variant<Requests, StreamPtr, ClosedSession, AskHealth>;

  /// An answer to give once the mutex is released.
  struct Given {
    RequestPtr request;
    Answer answer;
  };
  using Answers = std::vector<Given>;

  struct Instance {
    std::thread thread;
    std::size_t load = 0;  ///< Requests that run in it.
    TimePoint running_since;
    TimePoint idle_since;   ///< It came back from its model, or has sent the answers.
    bool reported = false;  ///< As hanging.
    StreamPtr own_stream;   ///< The one that has it to itself.
    bool resumed_a_stream = false;
    bool slept = false;                     ///< Before what it does now.
    bool has_looked = false;                ///< And found a call, just now.
    bool has_come_back = false;             ///< From its model, just now.
    Duration usual_time = Duration::max();  ///< Of a run.
    IdleSpin spin;
    Duration longest_spin{};               ///< Of the wait that it is in.
    Requests batch_memory;                 ///< Of the last one, for the next.
    std::vector<RequestInfo> info_memory;  ///< Likewise.
    std::size_t given = 0;                 ///< Answers that are not counted yet.
    std::optional<Work> ahead;             ///< What it does next, where that is known already.
    Answers expired;                       ///< To be given before.
  };

  // worker_core.cpp
  void wait_until_finished(TimePoint deadline, const std::function<bool()>& given_up);
  void enter(WorkerState state) REMOTEMEDIA_REQUIRES(mutex_);

  // admission.cpp
  void check_accepts(const Caller& caller) REMOTEMEDIA_REQUIRES(mutex_);
  [[noreturn]] void reject(const std::string& why) REMOTEMEDIA_REQUIRES(mutex_);
  bool end(const RequestPtr& request, Outcome outcome, TimePoint now) REMOTEMEDIA_REQUIRES(mutex_);
  void end_early(const RequestPtr& request, Outcome outcome, const std::exception_ptr& error, Answers& answers)
      REMOTEMEDIA_REQUIRES(mutex_);
  void leave_session(const Request& request) REMOTEMEDIA_REQUIRES(mutex_);
  bool is_finished() const REMOTEMEDIA_REQUIRES(mutex_);
  void give_up_all(Answers& answers) REMOTEMEDIA_REQUIRES(mutex_);
  std::exception_ptr error(ErrorCode code, const std::string& what) const;
  std::exception_ptr too_late() const;
  void give(Answers& answers);
  void give_last(const RequestPtr& request, Answer&& last);  ///< To be counted by count_given().
  void count_given(std::size_t answers) REMOTEMEDIA_REQUIRES(mutex_);

  // tracing.cpp
  bool is_traced(const Call& call) const noexcept;
  std::unique_ptr<CallTrace> begun_trace(const Request& request) const;
  void trace_run(std::span<const RequestPtr> requests);
  void trace_run_end(std::span<const RequestPtr> requests);
  void give_traced(const RequestPtr& request, Answer&& last);

  // running.cpp
  void run_instance(Instance& instance, bool warms_up);
  void warm_up();
  void perform(Instance& instance, Requests& requests);
  void perform(Instance& instance, ClosedSession& closed);
  void perform(Instance& instance, AskHealth& asked);
  void run_batch(Instance& instance, std::span<const RequestPtr> requests);
  void run_alone(Instance& instance, const RequestPtr& request);
  void finish(Instance& instance, const RequestPtr& request, Answer&& last);
  TensorMap infer(std::span<const RequestPtr> requests, const TensorMap& inputs, InferenceContext& context);
  std::vector<RequestInfo> describe(std::span<const RequestPtr> requests, std::vector<RequestInfo> infos);
  InferenceContext::Allocate allocator_for(std::span<const RequestPtr> requests) const;
  void keep_states(std::span<const RequestPtr> requests, InferenceContext& context);
  std::exception_ptr failed(ErrorCode code, const std::string& what, const std::exception_ptr& cause) const;
  std::exception_ptr inference_failed(const std::exception_ptr& cause) const;

  // next_work.cpp
  std::optional<Work> wait_for_work(Instance& instance);
  TimePoint end_of_looks(const Instance& instance) const;
  static bool look(CallSource& source);
  void leave_source() REMOTEMEDIA_REQUIRES(mutex_);
  bool has_source(const CallSource* source) const REMOTEMEDIA_REQUIRES(mutex_);
  void came_by(const void* place) REMOTEMEDIA_REQUIRES(mutex_);
  void notify_work() REMOTEMEDIA_REQUIRES(mutex_);
  void take_ahead(Instance& instance) REMOTEMEDIA_REQUIRES(mutex_);
  std::optional<Work> take_work(Instance& instance, TimePoint& ready_at) REMOTEMEDIA_REQUIRES(mutex_);
  std::optional<Work> next_work(Instance& instance, TimePoint& ready_at) REMOTEMEDIA_REQUIRES(mutex_);
  std::optional<Work> next_requests(Instance& instance, TimePoint& ready_at) REMOTEMEDIA_REQUIRES(mutex_);
  void begin_work(Instance& instance, std::size_t load, TimePoint now) REMOTEMEDIA_REQUIRES(mutex_);
  void end_work(Instance& instance, TimePoint now) REMOTEMEDIA_REQUIRES(mutex_);

  // streams.cpp
  StreamPtr next_stream() REMOTEMEDIA_REQUIRES(mutex_);
  bool can_go_on(const OpenStream& stream) const REMOTEMEDIA_REQUIRES(mutex_);
  StreamPtr open_stream(Instance& instance, const RequestPtr& request) REMOTEMEDIA_REQUIRES(mutex_);
  void perform(Instance& instance, StreamPtr& stream);
  bool resume(OpenStream& stream);
  bool give_one(const RequestPtr& request, TensorMap outputs);
  void close_stream(Instance& instance, OpenStream& stream);

  // attendant.cpp
  void run_attendant();
  TimePoint attend(TimePoint now, Answers& answers) REMOTEMEDIA_REQUIRES(mutex_);
  TimePoint watch_instances(TimePoint now, bool& hangs) REMOTEMEDIA_REQUIRES(mutex_);
  TimePoint hangs_at(const Instance& instance) const;
  std::string why_unhealthy(TimePoint now) const REMOTEMEDIA_REQUIRES(mutex_);
  void attend_at(TimePoint time) REMOTEMEDIA_REQUIRES(mutex_);

  const std::shared_ptr<InferenceModel> model_;
  ModelMemory memory_;
  const WorkerConfig config_;
  const std::string worker_id_;
  const std::string model_id_;
  const ModelSignature signature_;
  const std::int64_t max_batch_size_;
  const Clock& clock_;
  const TimePoint began_at_;

  mutable Mutex mutex_;
  CondVar work_;       ///< There may be something for an instance; to be notified by notify_work().
  CondVar attention_;  ///< There may be something for the attendant.
  CondVar finished_;   ///< A request has ended, an instance has come back, or the model is warm.
  WorkerState state_ REMOTEMEDIA_GUARDED_BY(mutex_) = WorkerState::starting;
  bool warm_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< Instances end when nothing is left for them.
  std::exception_ptr warm_up_error_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::uint64_t last_id_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  TimePoint last_accepted_at_ REMOTEMEDIA_GUARDED_BY(mutex_);
  RequestQueue queue_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Requests> unanswered_ REMOTEMEDIA_GUARDED_BY(mutex_);          ///< By client.
  std::set<std::pair<TimePoint, RequestPtr>> deadlines_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Of these.
  std::size_t answers_on_their_way_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Requests that have ended, last ones.
  SessionTable sessions_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::deque<StreamPtr> streams_ REMOTEMEDIA_GUARDED_BY(mutex_);
  TimePoint attendant_wakes_at_ REMOTEMEDIA_GUARDED_BY(mutex_) = TimePoint::max();
  std::string unhealthy_because_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Empty: healthy.
  bool health_wanted_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  WorkerStatistics statistics_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::vector<CallSource*> sources_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t chosen_source_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;    ///< One of them, unless there is none.
  std::size_t calls_of_others_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Since one came by that.
  CallSource* looked_at_ REMOTEMEDIA_GUARDED_BY(mutex_) = nullptr;  ///< By an instance,
  CallSource* waited_at_ REMOTEMEDIA_GUARDED_BY(mutex_) = nullptr;  ///< which sleeps there.
  std::vector<std::unique_ptr<Instance>> instances_;
  std::thread attendant_;
};

}  // namespace remotemedia::detail
