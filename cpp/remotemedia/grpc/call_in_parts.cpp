// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/call_in_parts.h"

#include <chrono>
#include <utility>

#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/method_path.h"
#include "remotemedia/grpc/worker_messages.h"

namespace remotemedia::detail {

void CallInParts::start(const grpc::ByteBuffer& head) {
  self_ = shared_from_this();
  context_.set_initial_metadata_corked(true);  // goes out with the head
  stream_ = connection().channel().stream(context_, method_path(kWorkerService, "InferInParts"), queue());
  stream_->StartCall(nullptr);
  write(head);
  stream_->Read(&read_, was_read_.tag());
}

void CallInParts::write(const grpc::ByteBuffer& part) {
  if (request_.is_at_end()) {
    stream_->WriteLast(part, grpc::WriteOptions(), written_.tag());
  } else {
    stream_->Write(part, written_.tag());
  }
}

void CallInParts::was_written(bool ok) noexcept {
  if (!ok || request_.is_at_end()) {
    let_go();
    return;
  }
  try {
    write(request_.next());
  } catch (const std::exception&) {
    context_.TryCancel();
    let_go();
  }
}

void CallInParts::was_read(bool ok) noexcept {
  if (ok) {
    try {
      whole_ = answer_.take(read_);
      read_.Clear();
    } catch (const std::exception&) {
      error_ = std::current_exception();
      context_.TryCancel();
    }
  }
  if (ok && !whole_ && error_ == nullptr) {
    stream_->Read(&read_, was_read_.tag());
  } else {
    stream_->Finish(&status_, finished_.tag());
  }
}

void CallInParts::finished(bool /*ok*/) noexcept { let_go(); }

void CallInParts::let_go() noexcept {
  if (--kept_by_ > 0) return;
  const std::shared_ptr<CallInParts> kept = std::move(self_);
  if (error_ != nullptr) {
    give_error(error_);
  } else if (whole_ && status_.ok()) {
    try {
      Answer answer;
      answer.outputs = outputs_of(answer_.message<inference::ModelInferResponse>());
      give(std::move(answer));
    } catch (const std::exception&) {
      give_error(std::current_exception());
    }
  }
  is_done(status_.ok() ? why_it_ended() : status_);
}

/// gRPC says OK of a call that has ended well in the worker, also where it was then withdrawn here and what had come of
/// its answer let go.
grpc::Status CallInParts::why_it_ended() const {
  if (cancelled_here) return grpc::Status::CANCELLED;
  if (context_.deadline() <= std::chrono::system_clock::now()) {
    return {grpc::StatusCode::DEADLINE_EXCEEDED, "its answer was not whole in time"};
  }
  return status_;
}

}  // namespace remotemedia::detail
