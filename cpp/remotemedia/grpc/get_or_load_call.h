// SPDX-License-Identifier: Apache-2.0
//
// GetOrLoadCall: one caller, from his question until he has his model, or as long as he holds it.

#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/incoming_call.h"
#include "remotemedia/grpc/model_service.h"
#include "remotemedia/grpc/protocol/models.pb.h"
#include "remotemedia/oip/model_loads.h"

namespace remotemedia::detail {

/// Threads:  any.
class GetOrLoadCall final : public CallHandler, public std::enable_shared_from_this<GetOrLoadCall> {
 public:
  GetOrLoadCall(StreamingCall& call, ModelService& service);

  void begin() noexcept override { call_.read(bytes_); }
  void read_done(bool ok) noexcept override;
  void write_done(bool ok) noexcept override;
  void cancelled() noexcept override;

  const std::string& peer() const noexcept { return peer_; }

  /// Set before the service knows the call.
  const std::string& model() const noexcept { return request_.name(); }

  /// Why: nullptr, where all is well. It holds nothing from now on.
  void end(const std::exception_ptr& why) noexcept;

 private:
  void ask();
  void progressed(const LoadProgress& progress) noexcept;
  void done(const std::exception_ptr& error, ModelMemory::Lease lease) noexcept;
  v1::GetOrLoadEvent loaded() const;
  void go_on() noexcept;
  void write_next() REMOTEMEDIA_REQUIRES(mutex_);

  StreamingCall& call_;
  ModelService& service_;
  const std::string peer_;
  v1::GetOrLoadRequest request_;
  std::uint64_t number_ = 0;       // 0: of a call that was refused
  ModelLoads::Ticket ticket_ = 0;  // likewise
  grpc::ByteBuffer bytes_;

  Mutex mutex_;
  ModelMemory::Lease lease_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::optional<v1::LoadProgress> progress_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< To be written: the latest.
  std::optional<v1::GetOrLoadEvent> loaded_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< To be written.
  std::optional<std::exception_ptr> end_ REMOTEMEDIA_GUARDED_BY(mutex_);     ///< As soon as it is not busy.
  bool busy_ REMOTEMEDIA_GUARDED_BY(mutex_) = true;                          ///< It reads or writes.
  bool finished_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace remotemedia::detail
