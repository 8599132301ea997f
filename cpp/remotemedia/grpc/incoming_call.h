// SPDX-License-Identifier: Apache-2.0
//
// A call as a server sees it, of messages that are bytes, and CallHandler, which answers it.

#pragma once

#include <grpcpp/impl/codegen/async_stream.h>
#include <grpcpp/impl/codegen/async_unary_call.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <memory>

#include "remotemedia/grpc/completion.h"

namespace remotemedia::detail {

/// Answers one call. It lasts until gRPC is done with the call, and until it has finished it.
///
/// Threads:  its functions are called by the server's, perhaps at the same time.
class CallHandler {
 public:
  CallHandler() = default;
  CallHandler(const CallHandler&) = delete;
  CallHandler& operator=(const CallHandler&) = delete;
  virtual ~CallHandler() = default;

  /// First.
  virtual void begin() noexcept = 0;

  /// Nobody waits for answers any more; the call has to be finished all the same.
  virtual void cancelled() noexcept {}

  /// Of streams: what was read or written is there, or, if not ok, will never be.
  virtual void read_done(bool /*ok*/) noexcept {}
  virtual void write_done(bool /*ok*/) noexcept {}
};

/// Lifetime:  its own: until gRPC and its handler are done with it.
class IncomingCall {
 public:
  IncomingCall() = default;
  IncomingCall(const IncomingCall&) = delete;
  IncomingCall& operator=(const IncomingCall&) = delete;

  /// Its metadata, peer and deadline, and the metadata of its end.
  grpc::ServerContext& context() noexcept { return context_; }

 protected:
  virtual ~IncomingCall() = default;

  /// When a client has called; otherwise the call has to be ended.
  void begin(std::shared_ptr<CallHandler> handler) noexcept;
  void tell_when_over() { context_.AsyncNotifyWhenDone(over_.tag()); }

  CallHandler& handler() const noexcept { return *handler_; }
  void keep() noexcept { ++kept_by_; }
  void let_go() noexcept;

 private:
  void told_over(bool ok) noexcept;

  grpc::ServerContext context_;
  std::shared_ptr<CallHandler> handler_;
  std::atomic<int> kept_by_{2};  // its end as gRPC tells it and as the handler writes it, and what is under way
  std::atomic<int> steps_{0};
  CompletionOf<IncomingCall, &IncomingCall::told_over> over_{*this};
};

/// One request, which is there from the beginning, and one answer.
class UnaryCall : public IncomingCall {
 public:
  const grpc::ByteBuffer& request() const noexcept { return request_; }
  void request_is_read() noexcept { request_.Clear(); }

  /// One of both, once. Nothing of the call may be used after it.
  void finish(const grpc::ByteBuffer& response) noexcept { responder_.Finish(response, grpc::Status::OK, end_.tag()); }
  void fail(const grpc::Status& status) noexcept { responder_.FinishWithError(status, end_.tag()); }

 protected:
  ~UnaryCall() override = default;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> responder_{&context()};

 private:
  void ended(bool /*ok*/) noexcept { let_go(); }
  CompletionOf<UnaryCall, &UnaryCall::ended> end_{*this};
};

/// Messages both ways: one is read and one is written at a time.
class StreamingCall : public IncomingCall {
 public:
  /// message: until CallHandler::read_done.
  void read(grpc::ByteBuffer& message) noexcept {
    keep();
    stream_.Read(&message, read_.tag());
  }
  void write(const grpc::ByteBuffer& message) noexcept {
    keep();
    stream_.Write(message, written_.tag());
  }

  /// One of both, once, when nothing is being written. Nothing of the call may be used after it.
  void finish(const grpc::Status& status) noexcept { stream_.Finish(status, end_.tag()); }
  void finish_with(const grpc::ByteBuffer& last) noexcept {
    stream_.WriteAndFinish(last, grpc::WriteOptions(), grpc::Status::OK, end_.tag());
  }

 protected:
  ~StreamingCall() override = default;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context()};

 private:
  void was_read(bool ok) noexcept;
  void was_written(bool ok) noexcept;
  void ended(bool /*ok*/) noexcept { let_go(); }
  CompletionOf<StreamingCall, &StreamingCall::was_read> read_{*this};
  CompletionOf<StreamingCall, &StreamingCall::was_written> written_{*this};
  CompletionOf<StreamingCall, &StreamingCall::ended> end_{*this};
};

}  // namespace remotemedia::detail
