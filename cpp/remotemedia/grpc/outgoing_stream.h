// SPDX-License-Identifier: Apache-2.0
//
// OutgoingStream: a call of a client that sends one message and hears many.

#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/client_channel.h"
#include "remotemedia/grpc/completion.h"

namespace remotemedia::detail {

/// It keeps itself until it has ended.
///
/// Threads:  any.
class OutgoingStream : public std::enable_shared_from_this<OutgoingStream> {
 public:
  /// window: messages that may wait to be read; beyond, gRPC's own flow control holds the worker up.
  explicit OutgoingStream(std::size_t window) : window_(window) {}
  OutgoingStream(const OutgoingStream&) = delete;
  OutgoingStream& operator=(const OutgoingStream&) = delete;
  virtual ~OutgoingStream() = default;

  grpc::ClientContext context;

  /// Once.
  void start(ClientChannel& channel, const std::string& method, const grpc::ByteBuffer& request);

  /// Its end is heard all the same.
  void cancel() noexcept;

  /// So many of the messages that were heard do not wait any more.
  void messages_read(std::size_t count) noexcept;

 protected:
  virtual void heard(const grpc::ByteBuffer& message) noexcept = 0;

  /// Last.
  virtual void ended(const grpc::Status& status) noexcept = 0;

 private:
  void written(bool ok) noexcept;
  void was_read(bool ok) noexcept;
  void finished(bool ok) noexcept;
  void let_go() noexcept;

  const std::size_t window_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  std::shared_ptr<OutgoingStream> self_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer message_;
  grpc::Status status_;

  std::atomic<int> kept_by_{2};  // what was written, and the end
  Mutex mutex_;
  std::size_t unread_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  bool rests_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< Until some are read.

  CompletionOf<OutgoingStream, &OutgoingStream::written> written_{*this};
  CompletionOf<OutgoingStream, &OutgoingStream::was_read> read_{*this};
  CompletionOf<OutgoingStream, &OutgoingStream::finished> finished_{*this};
};

}  // namespace remotemedia::detail
