// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/client_call.h"

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/method_path.h"
#include "remotemedia/grpc/outgoing_stream.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/grpc/status_of.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kWindow = 16;  // answers

class OneAnswer final : public ClientCall, public std::enable_shared_from_this<OneAnswer> {
 public:
  using ClientCall::ClientCall;

  grpc::ClientContext& metadata() noexcept override { return context_; }
  void start(const grpc::ByteBuffer& request) override {
    self_ = shared_from_this();
    call_ = connection().channel().unary(context_, method_path(kInferenceService, "ModelInfer"), request, queue());
    call_->StartCall();
    call_->Finish(&response_, &status_, finished_.tag());
  }
  void cancel() noexcept override { context_.TryCancel(); }

 private:
  void finished(bool /*ok*/) noexcept {
    const std::shared_ptr<OneAnswer> kept = std::move(self_);
    if (status_.ok()) {
      try {
        const ReceivedResponse response = received_response(response_);
        response_.Clear();
        Answer answer;
        answer.outputs = outputs_of(response);
        give(std::move(answer));
      } catch (const std::exception&) {
        give_error(std::current_exception());
      }
    }
    is_done(status_);
  }

  std::shared_ptr<OneAnswer> self_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  CompletionOf<OneAnswer, &OneAnswer::finished> finished_{*this};
};

class ManyAnswers final : public ClientCall, public OutgoingStream {
 public:
  ManyAnswers(std::shared_ptr<GrpcConnection> connection, std::uint64_t call, std::string of, OnAnswer on_answer)
      : ClientCall(std::move(connection), call, std::move(of), std::move(on_answer)), OutgoingStream(kWindow) {}

  grpc::ClientContext& metadata() noexcept override { return context; }
  void start(const grpc::ByteBuffer& request) override {
    OutgoingStream::start(connection().channel(), method_path(kInferenceService, "ModelStreamInfer"), request);
  }
  void answers_read(std::uint32_t count) noexcept override { messages_read(count); }
  void cancel() noexcept override { OutgoingStream::cancel(); }

 private:
  void heard(const grpc::ByteBuffer& bytes) noexcept override {
    try {
      auto message = received_message<inference::ModelStreamInferResponse>(bytes);
      take(message);
    } catch (const std::exception&) {
      give_error(std::current_exception());
    }
    if (has_ended()) cancel();  // there is nothing more to hear
  }
  void ended(const grpc::Status& status) noexcept override { is_done(status); }

  void take(inference::ModelStreamInferResponse& message) {
    inference::ModelInferResponse& response = *message.mutable_infer_response();
    if (!message.error_message().empty()) {
      const std::string name = response.parameters().contains(kErrorKey)
                                   ? response.parameters().at(kErrorKey).string_param()
                                   : std::string(to_string(ErrorCode::inference_failed));
      const grpc::Status status(grpc::StatusCode::UNKNOWN, message.error_message());
      throw error_of(status, name);
    }
    Answer answer;
    const auto last = response.parameters().find("triton_final_response");
    answer.last = last != response.parameters().end() && last->second.bool_param();
    answer.outputs = outputs_of(with_raw_contents(std::move(response)));
    give(std::move(answer));
  }
};

}  // namespace

ClientCall::ClientCall(std::shared_ptr<GrpcConnection> connection, std::uint64_t call, std::string its_session,
                       OnAnswer on_answer)
    : number(call),
      session(std::move(its_session)),
      connection_(std::move(connection)),
      waits_at_(connection_),
      on_answer_(std::move(on_answer)) {}

std::shared_ptr<ClientCall> ClientCall::make(bool stream, std::shared_ptr<GrpcConnection> connection,
                                             std::uint64_t number, std::string of_session, OnAnswer on_answer) {
  if (stream) {
    return std::make_shared<ManyAnswers>(std::move(connection), number, std::move(of_session), std::move(on_answer));
  }
  return std::make_shared<OneAnswer>(std::move(connection), number, std::move(of_session), std::move(on_answer));
}

void ClientCall::wait_at_most_until(std::shared_ptr<ClientCall> self, TimePoint deadline) {
  kept_by_alarm_ = std::move(self);
  alarm_.emplace().Set(&client_queue(), system_time_of(deadline), rang_.tag());
}

void ClientCall::rang(bool ok) noexcept {
  const std::shared_ptr<ClientCall> kept = std::move(kept_by_alarm_);
  const std::shared_ptr<GrpcConnection> connection = waits_at_.lock();
  if (!ok || connection == nullptr) return;
  connection->withdraw(*this, {grpc::StatusCode::DEADLINE_EXCEEDED, "it waited for the session's call before it"});
}

Error ClientCall::error_of(const grpc::Status& status, std::string_view name) const {
  return connection_->error_of(status, name, cancelled_here);
}

void ClientCall::give(Answer&& answer) noexcept {
  if (ended_) return;
  ended_ = answer.last;
  if (ended_ && !answer.outputs.empty()) connection_->heard(answer.outputs);
  on_answer_(std::move(answer));
  if (ended_) on_answer_ = nullptr;
  connection_->answered();
}

void ClientCall::give_error(const std::exception_ptr& error) noexcept {
  Answer answer;
  answer.error = error;
  give(std::move(answer));
}

void ClientCall::is_done(const grpc::Status& status) noexcept {
  if (!ended_) {
    const grpc::Status why =
        status.ok() ? grpc::Status(grpc::StatusCode::INTERNAL, "the call ended without its last answer") : status;
    give_error(std::make_exception_ptr(connection_->error_of(why, metadata(), cancelled_here)));
  }
  if (alarm_) alarm_->Cancel();
  prompt_.reset();
  if (callers_) callers_->end();
  const std::shared_ptr<GrpcConnection> connection = std::move(connection_);
  connection->is_done(*this);
}

}  // namespace remotemedia::detail
