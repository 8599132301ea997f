// SPDX-License-Identifier: Apache-2.0
//
// LeaseStream: a client's call of GetOrLoad, open as long as its lease.

#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <exception>
#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/outgoing_stream.h"
#include "remotemedia/grpc/protocol/models.pb.h"

namespace remotemedia::detail {

/// Threads:  any.
class LeaseStream final : public OutgoingStream {
 public:
  LeaseStream();

  /// What has come since it was asked for last.
  struct News {
    std::optional<v1::LoadProgress> progress;  ///< The latest.
    std::optional<v1::Loaded> loaded;
    std::optional<grpc::Status> status;  ///< It is over.

    bool any() const noexcept { return progress || loaded || status; }
  };

  /// Waits until there is some, or until `deadline`.
  ///
  /// Errors:  protocol_error for what no worker says.
  News next(TimePoint deadline);

  bool is_over() const noexcept;

 private:
  void heard(const grpc::ByteBuffer& bytes) noexcept override;
  void ended(const grpc::Status& status) noexcept override;

  mutable Mutex mutex_;
  CondVar changed_;
  News news_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::exception_ptr error_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool over_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace remotemedia::detail
