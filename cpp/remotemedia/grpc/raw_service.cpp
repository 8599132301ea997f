// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/raw_service.h"

#include <exception>
#include <type_traits>

#include "remotemedia/grpc/credentials.h"
#include "remotemedia/grpc/method_path.h"

namespace remotemedia::detail {

/// Waits for a client; then another one waits for the next.
template <class Call>
class RawService::Accepted final : public Call {
 public:
  using Handler = std::conditional_t<std::is_same_v<Call, UnaryCall>, UnaryHandler, StreamHandler>;

  Accepted(RawService& service, int method, grpc::ServerCompletionQueue& queue)
      : service_(service), method_(method), queue_(queue) {
    {
      MutexLock lock(service_.mutex_);
      ++service_.calls_;
    }
    this->tell_when_over();
    if constexpr (std::is_same_v<Call, UnaryCall>) {
      service.RequestAsyncUnary(method, &this->context(), &this->request_, &this->responder_, &queue, &queue,
                                called_.tag());
    } else {
      service.RequestAsyncBidiStreaming(method, &this->context(), &this->stream_, &queue, &queue, called_.tag());
    }
  }

  ~Accepted() override {
    if (owes_next_) accept_next();
    MutexLock lock(service_.mutex_);
    --service_.calls_;
    service_.gone_.notify_all();
  }

 private:
  void called(bool ok) noexcept {
    if (!ok) {
      delete this;
      return;
    }
    try {
      owes_next_ = true;
      service_.accept(method_, queue_);
      owes_next_ = false;
      const grpc::Status status = authorization(service_.access_, this->context());
      if (status.ok()) {
        this->begin(std::get<Handler>(service_.methods_[static_cast<std::size_t>(method_)].handler)(*this));
      } else {
        refuse(status);
      }
    } catch (const std::exception&) {
      refuse({grpc::StatusCode::RESOURCE_EXHAUSTED, "the worker has no memory left for this call"});
    }
  }

  void accept_next() noexcept {
    try {
      service_.accept(method_, queue_);
    } catch (const std::exception&) {
      return;  // there is no memory for it still: this method has one call less at a time
    }
  }

  void refuse(const grpc::Status& status) noexcept {
    if constexpr (std::is_same_v<Call, UnaryCall>) {
      this->fail(status);
    } else {
      this->finish(status);
    }
  }

  RawService& service_;
  const int method_;
  grpc::ServerCompletionQueue& queue_;
  bool owes_next_ = false;
  CompletionOf<Accepted, &Accepted::called> called_{*this};
};

RawService::RawService(const std::string& name, std::vector<Method> methods, const WireAccess& access)
    : methods_(std::move(methods)), access_(access) {
  paths_.reserve(methods_.size());
  for (const Method& method : methods_) {
    paths_.push_back(method_path(name, method.name));
    const bool unary = std::holds_alternative<UnaryHandler>(method.handler);
    AddMethod(new grpc::internal::RpcServiceMethod(
        paths_.back().c_str(),
        unary ? grpc::internal::RpcMethod::NORMAL_RPC : grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodAsync(static_cast<int>(paths_.size()) - 1);
  }
}

void RawService::wait_for_last_call() {
  MutexLock lock(mutex_);
  while (calls_ > 0) gone_.wait(mutex_);
}

void RawService::accept(grpc::ServerCompletionQueue& queue) {
  for (int method = 0; method < static_cast<int>(methods_.size()); ++method) accept(method, queue);
}

void RawService::accept(int method, grpc::ServerCompletionQueue& queue) {
  if (std::holds_alternative<UnaryHandler>(methods_[static_cast<std::size_t>(method)].handler)) {
    static_cast<void>(new Accepted<UnaryCall>(*this, method, queue));
  } else {
    static_cast<void>(new Accepted<StreamingCall>(*this, method, queue));
  }
}

}  // namespace remotemedia::detail
