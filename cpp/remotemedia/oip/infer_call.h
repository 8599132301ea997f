// SPDX-License-Identifier: Apache-2.0
//
// InferCall: one call under way, from what was read of its message to its last answer, for whoever writes the answers.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// A request as it was read.
struct ReceivedCall {
  Call call;                           ///< Without on_answer.
  std::vector<std::string> requested;  ///< Outputs; none: all.
  bool begins_session = false;
  bool ends_session = false;
  bool wants_empty_final_response = false;
  RegionParts output_parts;  ///< Of outputs that are written there.
};

/// What the protocol's parameters say of a call, its deadline among it; the others are the model's.
///
/// Errors:  those of call_parameters.
REMOTEMEDIA_API void take_parameters(Parameters parameters, ReceivedCall& received);

/// What of a request its answers repeat.
struct AnswerHead {
  std::string model_id = {};
  std::string request_id = {};
  std::vector<std::string> requested = {};
  RegionParts output_parts = {};
  bool of_client = false;  ///< One of ours: element types and errors have our own names.
};

/// Threads:  any.
class REMOTEMEDIA_API InferCall : public std::enable_shared_from_this<InferCall> {
 public:
  /// Called with each answer, as Call::on_answer; not after it was told the last one, after which its model may be
  /// gone.
  using OnAnswer = std::function<void(InferCall& call, Answer&& answer)>;

  explicit InferCall(OnAnswer on_answer) : on_answer_(std::move(on_answer)) {}
  InferCall(const InferCall&) = delete;
  InferCall& operator=(const InferCall&) = delete;
  ~InferCall() = default;

  /// Whose answers, errors of submit() among them, tell this. Once, before submit().
  void begin(AnswerHead head) { head_ = std::move(head); }

  /// Once. A session that the call begins or ends is closed before, or after its answer.
  ///
  /// Errors:  those of WorkerCore::submit; on_answer is not called then.
  void submit(const ServedModels::Use& model, const std::shared_ptr<Caller>& caller, ReceivedCall&& received);

  const AnswerHead& head() const noexcept { return head_; }

  /// Of its model, while an answer is told.
  const ModelSignature& signature() const noexcept { return *signature_; }
  bool wants_empty_final_response() const noexcept { return wants_empty_final_response_; }

  void cancel() noexcept;
  void answer_read() noexcept;

 private:
  void answered(Answer&& answer);
  const OnAnswer on_answer_;
  AnswerHead head_;
  const ModelSignature* signature_ = nullptr;
  bool wants_empty_final_response_ = false;
  std::optional<SessionKey> ends_;

  Mutex mutex_;
  ServedModels::Use model_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Until the last answer.
  RequestPtr request_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool cancelled_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::size_t read_early_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Answers, before request_ was there.
};

}  // namespace remotemedia::detail
