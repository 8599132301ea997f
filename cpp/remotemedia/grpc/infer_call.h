// SPDX-License-Identifier: Apache-2.0
//
// InferCall: one call under way, from its message to its last answer, for whoever writes the answers.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/call_origin.h"
#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/response_bytes.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

/// Threads:  any.
class InferCall : public std::enable_shared_from_this<InferCall> {
 public:
  /// Called with each answer, as Call::on_answer; not after it was told the last one, after which its model may be
  /// gone.
  using OnAnswer = std::function<void(InferCall& call, Answer&& answer)>;

  explicit InferCall(OnAnswer on_answer) : on_answer_(std::move(on_answer)) {}
  InferCall(const InferCall&) = delete;
  InferCall& operator=(const InferCall&) = delete;
  ~InferCall() = default;

  /// Once.
  ///
  /// Errors:  those of received_call, ServedModels::find and WorkerCore::submit; on_answer is not called then.
  void submit(const CallOrigin& origin, inference::ModelInferRequest& request, bool stream);

  /// What the messages of its answers repeat.
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
