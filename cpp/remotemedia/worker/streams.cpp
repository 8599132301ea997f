// SPDX-License-Identifier: Apache-2.0
//
// Streams: many answers to one request, one at each turn.

#include <algorithm>
#include <utility>

#include "remotemedia/worker/batch.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

bool WorkerCore::can_go_on(const OpenStream& stream) const {
  return stream.request->over.load() || stream.request->unread_answers < config_.stream_window;
}

// The one that has waited longest.
WorkerCore::StreamPtr WorkerCore::next_stream() {
  for (auto place = streams_.begin(); place != streams_.end(); ++place) {
    if ((*place)->in_hand || !can_go_on(**place)) continue;
    StreamPtr stream = *place;
    streams_.erase(place);
    streams_.push_back(stream);
    stream->in_hand = true;
    return stream;
  }
  return nullptr;
}

WorkerCore::StreamPtr WorkerCore::open_stream(Instance& instance, const RequestPtr& request) {
  auto stream = std::make_shared<OpenStream>();
  stream->request = request;
  streams_.push_back(stream);
  if (config_.concurrent_streams == 1) instance.own_stream = stream;
  return stream;
}

void WorkerCore::perform(Instance& instance, StreamPtr& stream) {
  const RequestPtr& request = stream->request;
  bool goes_on = false;
  std::exception_ptr failed;
  try {
    goes_on = !request->over.load() && resume(*stream);
  } catch (...) {
    failed = std::current_exception();
  }
  if (goes_on) {
    MutexLock lock(mutex_);
    stream->in_hand = instance.own_stream == stream;
    end_work(instance, clock_.now());
    notify_work();
    return;
  }
  close_stream(instance, *stream);
  trace_run_end({&request, 1});
  finish(instance, request,
         {{}, failed == nullptr ? nullptr : inference_failed(failed), true, std::move(request->call.inputs)});
}

// One answer; false at the end.
bool WorkerCore::resume(OpenStream& stream) {
  const std::span<const RequestPtr> alone(&stream.request, 1);
  if (stream.answers == nullptr) {
    stream.inputs = joined_inputs(alone);
    stream.context = std::make_unique<InferenceContext>(describe(alone, {}), allocator_for(alone));
    {
      const TimePoint now = clock_.now();
      MutexLock lock(mutex_);
      statistics_.count_run(stream.request->rows, now);
    }
    trace_run(alone);
    stream.answers = model_->infer_stream(stream.inputs, *stream.context);
    if (stream.answers == nullptr) throw Error(ErrorCode::inference_failed, "infer_stream returned null");
  }
  std::optional<TensorMap> outputs = stream.answers->next();
  if (!outputs) {
    keep_states(alone, *stream.context);
    return false;
  }
  check_outputs({model_id_, signature_, max_batch_size_}, *outputs, stream.request->rows);
  return give_one(stream.request, std::move(*outputs));
}

bool WorkerCore::give_one(const RequestPtr& request, TensorMap outputs) {
  {
    MutexLock lock(mutex_);
    if (request->over.load()) return false;
    request->giving = true;
    ++request->unread_answers;
  }
  request->call.on_answer({std::move(outputs), nullptr, false});
  std::optional<Answer> last;
  {
    MutexLock lock(mutex_);
    request->giving = false;
    last = std::exchange(request->last_answer, std::nullopt);
  }
  if (last) {
    give_last(request, std::move(*last));
    MutexLock lock(mutex_);
    count_given(1);
  }
  return !last;
}

// The model hears of the end before the caller does.
void WorkerCore::close_stream(Instance& instance, OpenStream& stream) {
  stream.answers = nullptr;
  stream.context = nullptr;
  stream.inputs.clear();
  MutexLock lock(mutex_);
  std::erase_if(streams_, [&](const StreamPtr& open) { return open.get() == &stream; });
  instance.own_stream = nullptr;
}

}  // namespace remotemedia::detail
