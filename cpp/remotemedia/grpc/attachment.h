// SPDX-License-Identifier: Apache-2.0
//
// Attachment: the call of Attach, open as long as a client's connection.

#pragma once

#include <grpcpp/support/status.h>

#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/outgoing_stream.h"
#include "remotemedia/grpc/protocol/worker.pb.h"

namespace remotemedia::detail {

/// Threads:  any.
class Attachment final : public OutgoingStream {
 public:
  /// on_over: called once, on a thread of client_queue().
  explicit Attachment(std::function<void()> on_over);

  /// The first event; none where the time is up or the call is over.
  ///
  /// Errors:  protocol_error where it is none.
  std::optional<v1::AttachEvent> first(TimePoint deadline);

  /// None, while it is open.
  std::optional<grpc::Status> status() const;

  void wait_until_over();

 private:
  void heard(const grpc::ByteBuffer& bytes) noexcept override;
  void ended(const grpc::Status& status) noexcept override;

  const std::function<void()> on_over_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<v1::AttachEvent> first_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::exception_ptr error_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::optional<grpc::Status> status_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
