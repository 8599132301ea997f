// SPDX-License-Identifier: Apache-2.0
//
// ModelWorkerClient: calls a model that another process serves.
//
//     ModelWorkerClient client = ModelWorkerClient::connect("unix:/run/user/1000/doubler");
//     TensorBuffer x = client.allocate({1 << 20}, DataType::float32);   // the worker reads it where it lies
//     fill(x.span<float>());
//     TensorBuffer y = client.infer({{"x", x}}).at("y");                // and this is read where the model wrote it

#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/parameters.h"
#include "remotemedia/worker/tensor_map.h"
#include "remotemedia/worker/transport.h"
#include "remotemedia/worker/worker_info.h"

namespace remotemedia {

struct InferOptions {
  Parameters parameters = {};

  /// Names a session of this client; another client's of the same name is another one.
  std::optional<std::string> session_id = std::nullopt;
  int priority = 0;  ///< Higher runs first.

  /// After which the call is deadline_exceeded, here and in the worker. None: it waits as long as the worker lives.
  std::optional<Duration> timeout = std::nullopt;

  /// To which trace it belongs, as W3C's Trace Context writes it. What is malformed is left out, as trace_context()
  /// says.
  std::string traceparent = {};
  std::string tracestate = {};

  /// It may run twice. Where its worker dies under it, infer() makes it anew: ConnectOptions::max_retries times at
  /// most, within its timeout.
  bool idempotent = false;
};

/// A call under way. Copies are the same call; without any it goes on and its answer is dropped.
///
/// Threads:  any.
class REMOTEMEDIA_API InferenceFuture {
 public:
  InferenceFuture() = default;

  /// Whether get() does not wait.
  bool ready() const;

  /// False when `deadline` passed first. At the call's own it is over.
  bool wait_until(TimePoint deadline) const;

  /// Waits for the outputs, once.
  ///
  /// Errors:  those of ModelWorkerClient::infer; invalid_argument the second time.
  TensorMap get();

  /// Calls `ready` once, when get() does not wait: perhaps now, and on any thread. It must not throw, and hold nothing
  /// up. Another one takes its place, as long as it was not called.
  void when_ready(std::function<void()> ready);

  /// In the worker too: a call that waits there never runs, a running one is told. The call ends with cancelled, unless
  /// its answer was on its way.
  void cancel();

 private:
  friend class ModelWorkerClient;
  struct State;
  explicit InferenceFuture(std::shared_ptr<State> state) noexcept;

  std::shared_ptr<State> state_;
};

/// Many answers to one request. Cancels it when it goes.
///
/// Threads:  as a std::unique_ptr; cancel() from any.
class REMOTEMEDIA_API InferenceStream {
 public:
  InferenceStream(InferenceStream&&) noexcept;
  InferenceStream& operator=(InferenceStream&&) noexcept;
  ~InferenceStream();

  /// The next answer, or none at the end.
  ///
  /// Errors:  those of ModelWorkerClient::infer; after one, and after the end, there is no other.
  std::optional<TensorMap> next();

  /// Whether next() has something by `deadline`, if only the end or an error.
  bool wait_until(TimePoint deadline);

  /// Calls `readable` once, when next() has something: perhaps now, and on any thread. It must not throw, and hold
  /// nothing up. Another one takes its place, as long as it was not called.
  void when_readable(std::function<void()> readable);

  void cancel();

 private:
  friend class ModelWorkerClient;
  struct State;
  explicit InferenceStream(std::shared_ptr<State> state) noexcept;

  std::shared_ptr<State> state_;
};

/// Threads:  all functions may be called from any thread; many calls may be under way.
/// Lifetime: tensors that it gave stay when it, its connection or the worker has gone.
///           In a forked child every call is worker_unavailable; the child may connect anew.
class REMOTEMEDIA_API ModelWorkerClient {
 public:
  /// Waits for a worker at `endpoint`.
  ///
  /// Errors:  worker_unavailable if there is none within options.timeout; invalid_argument for no such scheme;
  ///          protocol_error; rejected.
  static ModelWorkerClient connect(const std::string& endpoint, const ConnectOptions& options = {});

  ModelWorkerClient(ModelWorkerClient&&) noexcept;
  ModelWorkerClient& operator=(ModelWorkerClient&&) noexcept;

  /// As close().
  ~ModelWorkerClient();

  /// Runs the model. What lies in allocate()'s memory is not copied; what else is given is copied once. With
  /// max_batch_size > 0 every tensor has the batch dimension in front.
  ///
  /// Errors:   invalid_tensor with what was expected and found; rejected, which names the limit; deadline_exceeded;
  ///           cancelled; inference_failed with the model's text; worker_unavailable when the worker dies, and when
  ///           none can be reached after max_retries: the call was not delivered then, or nobody knows. One that is
  ///           idempotent is made anew before.
  /// Lifetime: outputs are read-only views of the worker's memory, or small copies of it.
  TensorMap infer(const TensorMap& inputs, const InferOptions& options = {});

  InferenceFuture infer_future(const TensorMap& inputs, const InferOptions& options = {});

  /// For a thread that waits for it from now on, at most with short breaks: it receives the answer itself, which is
  /// quicker. Nobody else waits for this one.
  InferenceFuture infer_waiting(const TensorMap& inputs, const InferOptions& options = {});

  /// Calls `done` once, on a thread of the client, on one that waits for another call or on one that cancels this, with
  /// outputs or an error. It must not throw, and hold nothing up. The future may be dropped.
  InferenceFuture infer_async(const TensorMap& inputs, const InferOptions& options,
                              std::function<void(TensorMap, std::exception_ptr)> done);

  /// infer_future() where nothing has to be waited for: a connection is there, and memory that the worker reads. None
  /// where something has. For a thread that holds others up while it waits.
  std::optional<InferenceFuture> try_infer_future(const TensorMap& inputs, const InferOptions& options = {});

  InferenceStream infer_stream(const TensorMap& inputs, const InferOptions& options = {});

  /// Writable memory that the worker can read: fill it in place, then infer() copies nothing. Heap where shared memory
  /// is refused.
  TensorBuffer allocate(const Dims& shape, DataType dtype);

  /// Ends a session of this client: its state goes when its last call is answered.
  void close_session(const std::string& session_id);

  /// The model's own word; false also when no worker can be reached.
  bool health_check();

  /// Errors:  worker_unavailable; deadline_exceeded if it does not answer within ConnectOptions::timeout.
  WorkerInfo status();

  unsigned max_retries() const noexcept;

  /// Whether a call would go out at once, as far as is known. Otherwise it has to wait for a new connection.
  bool is_connected() const;

  /// As the worker said when it was reached last.
  ModelSignature signature() const;

  /// The same without a copy.
  std::shared_ptr<const ModelSignature> shared_signature() const;
  std::string model_id() const;
  Transport transport() const;

  /// Ends what is under way with worker_unavailable. Twice is once.
  void close();

 private:
  struct Impl;
  explicit ModelWorkerClient(std::shared_ptr<Impl> impl) noexcept;

  std::shared_ptr<Impl> impl_;
};

}  // namespace remotemedia
