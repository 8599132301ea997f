// SPDX-License-Identifier: Apache-2.0
//
// CallInParts: a call with one answer, of which request and answer go in parts.

#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "remotemedia/grpc/client_call.h"
#include "remotemedia/grpc/completion.h"
#include "remotemedia/grpc/parts_to_send.h"
#include "remotemedia/grpc/received_parts.h"

namespace remotemedia::detail {

/// It keeps itself until gRPC is done with it.
class CallInParts final : public ClientCall, public std::enable_shared_from_this<CallInParts> {
 public:
  CallInParts(std::shared_ptr<GrpcConnection> connection, std::uint64_t call, std::string of_session,
              OnAnswer on_answer, PartsToSend request)
      : ClientCall(std::move(connection), call, std::move(of_session), std::move(on_answer)),
        request_(std::move(request)) {}

  grpc::ClientContext& metadata() noexcept override { return context_; }

  /// head: of the request.
  void start(const grpc::ByteBuffer& head) override;
  void cancel() noexcept override { context_.TryCancel(); }

 private:
  void write(const grpc::ByteBuffer& part);
  void was_written(bool ok) noexcept;
  void was_read(bool ok) noexcept;
  void finished(bool ok) noexcept;
  void let_go() noexcept;
  grpc::Status why_it_ended() const;

  PartsToSend request_;
  ReceivedParts answer_;
  bool whole_ = false;
  std::exception_ptr error_;

  std::shared_ptr<CallInParts> self_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer read_;
  grpc::Status status_;
  std::atomic<int> kept_by_{2};  // what is written, and the end
  CompletionOf<CallInParts, &CallInParts::was_written> written_{*this};
  CompletionOf<CallInParts, &CallInParts::was_read> was_read_{*this};
  CompletionOf<CallInParts, &CallInParts::finished> finished_{*this};
};

}  // namespace remotemedia::detail
