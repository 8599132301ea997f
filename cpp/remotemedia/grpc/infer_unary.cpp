// SPDX-License-Identifier: Apache-2.0

#include <exception>
#include <memory>
#include <utility>

#include "remotemedia/grpc/infer_handlers.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/response_bytes.h"
#include "remotemedia/grpc/submit_infer.h"

namespace remotemedia::detail {
namespace {

class InferHandler final : public CallHandler {
 public:
  InferHandler(UnaryCall& call, const InferService& service) : call_(call), service_(service) {}

  void begin() noexcept override {
    try {
      share_ = share_of(service_, call_.request().Length());
      const ReceivedRequest request = received_request(call_.request());
      call_.request_is_read();
      submit(*infer_, service_, call_origin(call_.context(), service_.callers), request, false);
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
    }
  }

  void cancelled() noexcept override { infer_->cancel(); }

 private:
  void answered(const InferCall& infer, Answer&& answer) noexcept {
    grpc::ByteBuffer bytes;
    try {
      if (answer.error != nullptr) std::rethrow_exception(answer.error);
      bytes = response_bytes(infer.head(), std::move(answer.outputs), infer.signature());
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    call_.finish(bytes);
  }

  UnaryCall& call_;
  const InferService service_;
  BytesInFlight::Share share_;
  const std::shared_ptr<InferCall> infer_ = std::make_shared<InferCall>(
      [this](const InferCall& infer, Answer&& answer) { answered(infer, std::move(answer)); });
};

}  // namespace

std::shared_ptr<CallHandler> infer_handler(UnaryCall& call, const InferService& service) {
  return std::make_shared<InferHandler>(call, service);
}

}  // namespace remotemedia::detail
