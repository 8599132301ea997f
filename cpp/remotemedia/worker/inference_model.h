// SPDX-License-Identifier: Apache-2.0
//
// InferenceModel: what can be served.
//
//     class Doubler final : public InferenceModel {
//       std::string model_id() const override { return "doubler"; }
//       ModelSignature signature() const override {
//         return {.inputs = {{"x", DataType::float32, {-1}}}, .outputs = {{"y", DataType::float32, {-1}}}};
//       }
//       std::size_t memory_usage() const override { return 0; }
//       TensorMap infer(const TensorMap& inputs, InferenceContext& context) override;
//     };

#pragma once

#include <any>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_state.h"
#include "remotemedia/worker/inference_context.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia {

/// The answers to one request of a stream, made one after the other.
class REMOTEMEDIA_API AnswerStream {
 public:
  AnswerStream() = default;
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  /// Also when the caller went away before the end.
  virtual ~AnswerStream();

  /// The next one, or none at the end.
  virtual std::optional<TensorMap> next() = 0;
};

/// Where a model stands.
struct ModelResidence {
  ModelState state = ModelState::ready;
  std::optional<Duration> load_time;  ///< Of its last load; none where nobody has measured it.
};

/// Threads:  a worker calls everything here, but for what is const, from its own threads: from one with the default
///           WorkerConfig::instances of 1, from as many as there are instances otherwise, never under a lock.
/// Errors:   whatever infer, infer_stream, next and open_session throw fails the request as inference_failed with its
///           text; the model goes on.
class REMOTEMEDIA_API InferenceModel {
 public:
  InferenceModel() = default;
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;
  virtual ~InferenceModel();

  virtual std::string model_id() const = 0;
  virtual std::string device() const { return "cpu"; }

  /// Asked once.
  virtual ModelSignature signature() const = 0;

  /// Bytes.
  virtual std::size_t memory_usage() const = 0;

  /// Asked by each thread that will run the model, once: what it gives goes at the thread's end, there.
  virtual std::shared_ptr<void> enter_thread() { return nullptr; }

  /// Before the first request. What it throws, start() throws.
  virtual void warm_up() {}

  /// One batch. With max_batch_size > 0 the first dimension of every input is the batch; the rows of each request are
  /// in `context`. Requests run together only when their shapes beyond the batch and their parameters are equal; two of
  /// one session never do, and they run in the order they were made. When a batch of several throws, each is tried
  /// alone.
  ///
  /// Lifetime: inputs are read-only views of the callers' memory; an output may be one of them.
  virtual TensorMap infer(const TensorMap& inputs, InferenceContext& context) = 0;

  /// Many answers to one request, which runs alone. By default infer()'s answer is the only one.
  ///
  /// Lifetime: `inputs` and `context` stay while the stream does.
  virtual std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context);

  /// Of a stateful model: a session's state, on its first request.
  virtual std::any open_session(const std::string& session_id);

  /// When its client closed it or died, when it was idle for too long, and at the end.
  virtual void close_session(const std::string& session_id, const std::any& state);

  /// Asked between batches.
  virtual bool is_healthy() { return true; }

  /// Of a model that can leave memory and come back by itself, with the next call at the latest. Any other one stays.
  ///
  /// Threads:  any, also while it runs.
  virtual ModelResidence residence() const { return {}; }

  /// Comes back now, unless it is there, with what that throws, and stays as long as somebody has what is given.
  virtual std::shared_ptr<void> stay_in_memory(const ReportProgress& report);

  /// Leaves it, once no call has it and nobody wants it to stay: the bytes, if that is now.
  virtual std::optional<std::size_t> leave_memory() { return std::nullopt; }

  /// Once, after everything else.
  virtual void close() {}
};

}  // namespace remotemedia
