// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_worker_client.h"

#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/worker/pending_call.h"
#include "remotemedia/worker/repeats.h"
#include "remotemedia/worker/signature_check.h"
#include "remotemedia/worker/worker_link.h"

namespace remotemedia {

struct ModelWorkerClient::Impl {
  Impl(const std::string& endpoint, const ConnectOptions& options)
      : link(detail::scheme_of(endpoint), endpoint, options, monotonic_clock()) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { link.close(); }

  template <class State, class... Arguments>
  std::shared_ptr<State> submit(const TensorMap& inputs, const InferOptions& options, bool stream,
                                detail::ReceivedBy receiver, Arguments... arguments) {
    const TimePoint deadline = link.deadline_after(options.timeout);
    auto state = std::allocate_shared<State>(RecyclingAllocator<State>(), deadline, receiver, std::move(arguments)...);
    const Sending sending{options, deadline, stream, receiver, detail::Waiting::allowed};
    link.with_connection(deadline, [&](const auto& connection) { send(connection, state, inputs, sending); });
    return state;
  }

  /// Null where it would have to wait.
  template <class State>
  std::shared_ptr<State> try_submit(const TensorMap& inputs, const InferOptions& options) {
    const std::shared_ptr<detail::WorkerConnection> connection = link.newest();
    if (connection->is_over()) return nullptr;
    const TimePoint deadline = link.deadline_after(options.timeout);
    constexpr auto kReceiver = detail::ReceivedBy::connection;
    auto state = std::allocate_shared<State>(RecyclingAllocator<State>(), deadline, kReceiver);
    try {
      const Sending sending{options, deadline, false, kReceiver, detail::Waiting::refused};
      return send(connection, state, inputs, sending) ? state : nullptr;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::worker_unavailable) throw;
      return nullptr;
    }
  }

  struct Sending {
    const InferOptions& options;
    TimePoint deadline;
    bool stream;
    detail::ReceivedBy receiver;
    detail::Waiting waiting;
  };

  template <class State>
  static void give_to(void* state, std::uint64_t /*argument*/, detail::Answer&& answer) {
    static_cast<State*>(state)->answer(std::move(answer));
  }

  template <class State>
  static bool send(const std::shared_ptr<detail::WorkerConnection>& connection, const std::shared_ptr<State>& state,
                   const TensorMap& inputs, const Sending& sending) {
    const detail::WorkerDescription& worker = connection->worker();
    detail::check_inputs({worker.model_id, worker.signature, worker.max_batch_size}, inputs);
    const std::uint64_t number =
        connection->submit(inputs,
                           {.inputs = {},
                            .parameters = sending.options.parameters,
                            .session_id = sending.options.session_id,
                            .priority = sending.options.priority,
                            .deadline = sending.deadline,
                            .stream = sending.stream,
                            .trace = trace_context(sending.options.traceparent, sending.options.tracestate),
                            .on_answer = {state, 0, give_to<State>}},
                           sending.receiver, sending.waiting);
    if (number != 0) state->sent(connection, number);
    return number != 0;
  }

  template <class Action>
  auto ask(Action action) {
    const TimePoint deadline = link.deadline_after(link.options().timeout);
    return link.with_connection(deadline, [&](const auto& connection) { return action(*connection, deadline); });
  }

  detail::WorkerLink link;
};

ModelWorkerClient::ModelWorkerClient(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

ModelWorkerClient ModelWorkerClient::connect(const std::string& endpoint, const ConnectOptions& options) {
  return ModelWorkerClient(std::make_shared<Impl>(endpoint, options));
}

ModelWorkerClient::ModelWorkerClient(ModelWorkerClient&&) noexcept = default;

ModelWorkerClient& ModelWorkerClient::operator=(ModelWorkerClient&& other) noexcept {
  ModelWorkerClient taken(std::move(other));
  impl_.swap(taken.impl_);
  return *this;
}

// A forked child leaves everything as it is: threads, locks and sockets are its parent's.
ModelWorkerClient::~ModelWorkerClient() {
  if (impl_ != nullptr && impl_->link.is_inherited()) new std::shared_ptr<Impl>(std::move(impl_));
}

TensorMap ModelWorkerClient::infer(const TensorMap& inputs, const InferOptions& options) {
  for (Repeats repeats(options, max_retries());;) {
    InferenceFuture call = infer_waiting(inputs, repeats.options());
    try {
      return call.get();
    } catch (const Error& error) {
      if (!repeats.again_after(error)) throw;
    }
  }
}

InferenceFuture ModelWorkerClient::infer_waiting(const TensorMap& inputs, const InferOptions& options) {
  return InferenceFuture(impl_->submit<InferenceFuture::State>(inputs, options, false, detail::ReceivedBy::caller));
}

InferenceFuture ModelWorkerClient::infer_future(const TensorMap& inputs, const InferOptions& options) {
  return InferenceFuture(impl_->submit<InferenceFuture::State>(inputs, options, false, detail::ReceivedBy::connection));
}

InferenceFuture ModelWorkerClient::infer_async(const TensorMap& inputs, const InferOptions& options,
                                               std::function<void(TensorMap, std::exception_ptr)> done) {
  return InferenceFuture(
      impl_->submit<InferenceFuture::State>(inputs, options, false, detail::ReceivedBy::connection, std::move(done)));
}

std::optional<InferenceFuture> ModelWorkerClient::try_infer_future(const TensorMap& inputs,
                                                                   const InferOptions& options) {
  auto state = impl_->try_submit<InferenceFuture::State>(inputs, options);
  return state != nullptr ? std::optional(InferenceFuture(std::move(state))) : std::nullopt;
}

InferenceStream ModelWorkerClient::infer_stream(const TensorMap& inputs, const InferOptions& options) {
  return InferenceStream(impl_->submit<InferenceStream::State>(inputs, options, true, detail::ReceivedBy::connection));
}

TensorBuffer ModelWorkerClient::allocate(const Dims& shape, DataType dtype) {
  return impl_->ask([&](auto& connection, TimePoint) { return connection.allocate(shape, dtype); });
}

void ModelWorkerClient::close_session(const std::string& session_id) {
  try {
    impl_->link.newest()->close_session(session_id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::worker_unavailable || impl_->link.is_inherited()) throw;  // it went with the worker
  }
}

bool ModelWorkerClient::health_check() {
  try {
    return impl_->ask([](auto& connection, TimePoint deadline) { return connection.health(deadline); }).healthy;
  } catch (const Error& error) {
    const bool no_answer =
        error.code() == ErrorCode::worker_unavailable || error.code() == ErrorCode::deadline_exceeded;
    if (!no_answer || impl_->link.is_inherited()) throw;
    return false;
  }
}

WorkerInfo ModelWorkerClient::status() {
  return impl_->ask([](auto& connection, TimePoint deadline) { return connection.status(deadline); });
}

unsigned ModelWorkerClient::max_retries() const noexcept { return impl_->link.options().max_retries; }

bool ModelWorkerClient::is_connected() const { return !impl_->link.newest()->is_over(); }

ModelSignature ModelWorkerClient::signature() const { return *shared_signature(); }

std::shared_ptr<const ModelSignature> ModelWorkerClient::shared_signature() const {
  const auto connection = impl_->link.newest();
  return {connection, &connection->worker().signature};
}

std::string ModelWorkerClient::model_id() const { return impl_->link.newest()->worker().model_id; }

Transport ModelWorkerClient::transport() const { return impl_->link.newest()->transport(); }

void ModelWorkerClient::close() { impl_->link.close(); }

}  // namespace remotemedia
