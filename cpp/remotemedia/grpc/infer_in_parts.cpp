// SPDX-License-Identifier: Apache-2.0

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/infer_handlers.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/received_parts.h"
#include "remotemedia/grpc/response_bytes.h"
#include "remotemedia/grpc/submit_infer.h"

namespace remotemedia::detail {
namespace {

/// One thing after the other is under way: a read, the model, a write.
class InferInPartsHandler final : public CallHandler {
 public:
  InferInPartsHandler(StreamingCall& call, const InferService& service) : call_(call), service_(service) {}

  void begin() noexcept override {
    try {
      origin_.emplace(call_origin(call_.context(), service_.callers));
      if (origin_->attached == nullptr) throw Error(ErrorCode::invalid_argument, "only an attached client sends parts");
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    call_.read(read_);
  }

  void read_done(bool ok) noexcept override {
    try {
      if (!ok) throw Error(ErrorCode::protocol_error, "the request ended before its last part");
      share_.join(share_of(service_, read_.Length()));
      const bool whole = request_.take(read_);
      read_.Clear();
      if (whole) {
        submit(*infer_, service_, *origin_, request_.message<inference::ModelInferRequest>(), false);
        return;
      }
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    call_.read(read_);
  }

  void write_done(bool ok) noexcept override {
    if (ok) {
      write_next();
    } else {
      call_.finish(grpc::Status::CANCELLED);
    }
  }

  void cancelled() noexcept override { infer_->cancel(); }

 private:
  void answered(const InferCall& infer, Answer&& answer) noexcept {
    try {
      if (answer.error != nullptr) std::rethrow_exception(answer.error);
      answer_.emplace(response_parts(infer.head(), std::move(answer.outputs), infer.signature()));
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    write_next();
  }

  void write_next() noexcept {
    grpc::ByteBuffer part;
    try {
      part = answer_->next();
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    if (answer_->is_at_end()) {
      call_.finish_with(part);
    } else {
      call_.write(part);
    }
  }

  StreamingCall& call_;
  const InferService service_;
  std::optional<CallOrigin> origin_;
  BytesInFlight::Share share_;
  grpc::ByteBuffer read_;
  ReceivedParts request_;
  std::optional<PartsToSend> answer_;
  const std::shared_ptr<InferCall> infer_ = std::make_shared<InferCall>(
      [this](const InferCall& infer, Answer&& answer) { answered(infer, std::move(answer)); });
};

}  // namespace

std::shared_ptr<CallHandler> infer_in_parts_handler(StreamingCall& call, const InferService& service) {
  return std::make_shared<InferInPartsHandler>(call, service);
}

}  // namespace remotemedia::detail
