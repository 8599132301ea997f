// SPDX-License-Identifier: Apache-2.0
//
// Methods that answer one message with another at once.

#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/grpc/status_of.h"

namespace remotemedia::detail {

/// Ends a call with an error: as a status, and by our own name for our own clients.
inline void fail(UnaryCall& call, const std::exception_ptr& error) noexcept {
  call.context().AddTrailingMetadata(kErrorKey, error_name(error));
  call.fail(status_of(error));
}

inline void fail(StreamingCall& call, const std::exception_ptr& error) noexcept {
  call.context().AddTrailingMetadata(kErrorKey, error_name(error));
  call.finish(status_of(error));
}

template <class Request, class Response>
class MessageHandler final : public CallHandler {
 public:
  using Answer = std::function<void(grpc::ServerContext&, const Request&, Response&)>;

  MessageHandler(UnaryCall& call, const Answer& answer) : call_(call), answer_(answer) {}

  void begin() noexcept override {
    grpc::ByteBuffer bytes;
    try {
      Response response;
      answer_(call_.context(), received_message<Request>(call_.request()), response);
      bytes = message_bytes(response);
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    call_.finish(bytes);
  }

 private:
  UnaryCall& call_;
  const Answer& answer_;
};

/// What `answer` throws is the call's status.
template <class Request, class Response>
Method message_method(std::string name, typename MessageHandler<Request, Response>::Answer answer) {
  return {std::move(name), UnaryHandler([answer = std::move(answer)](UnaryCall& call) {
            return std::make_shared<MessageHandler<Request, Response>>(call, answer);
          })};
}

}  // namespace remotemedia::detail
