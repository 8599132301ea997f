// SPDX-License-Identifier: Apache-2.0
//
// ClientChannel: what a client calls by, with messages that are bytes and the token that it was given.

#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "remotemedia/platform/owned_handle.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// Threads:  any.
class ClientChannel {
 public:
  /// Whether it connects again where its connection has ended.
  enum class Connects { once, again };

  /// target: as gRPC takes it. It connects now or with the first call.
  ///
  /// Errors:  invalid_argument that names the file, for one of options.tls that cannot be read.
  ClientChannel(const std::string& endpoint, const std::string& target, const ConnectOptions& options,
                Connects connects);
  ClientChannel(const ClientChannel&) = delete;
  ClientChannel& operator=(const ClientChannel&) = delete;

  /// In a forked child it leaves what is gRPC's alone.
  ~ClientChannel();

  /// "the worker at grpc://127.0.0.1:8001", for texts of errors.
  const std::string& worker() const noexcept { return worker_; }

  /// Whether this process is a forked child of the one that made it.
  bool is_inherited() const noexcept;

  /// False where there is none, or not yet, as far as is known: a call would have to connect first. Connects nothing.
  bool is_connected() const;

  /// Not begun yet.
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> unary(grpc::ClientContext& context, const std::string& method,
                                                                const grpc::ByteBuffer& request,
                                                                grpc::CompletionQueue& queue);
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream(grpc::ClientContext& context, const std::string& method,
                                                               grpc::CompletionQueue& queue);

  /// Waits for the answer, until the deadline of `context`. given_up: asked now and then, unless it is empty: true, and
  /// the call is cancelled.
  grpc::Status ask(grpc::ClientContext& context, const std::string& method, const grpc::ByteBuffer& request,
                   grpc::ByteBuffer& response, const std::function<bool()>& given_up = {});

 private:
  void authorize(grpc::ClientContext& context) const;

  const std::string worker_;
  const std::string authorization_;
  const std::uint64_t made_in_;
  platform::OwnedHandle socket_;  ///< Of a connection that gRPC was given; none: it has its own.
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

}  // namespace remotemedia::detail
