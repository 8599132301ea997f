// SPDX-License-Identifier: Apache-2.0
//
// AttachedClient: one client, from its call of Attach until it goes or is let go.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/incoming_call.h"
#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

class AttachService;

/// Threads:  any.
class AttachedClient final : public CallHandler, public std::enable_shared_from_this<AttachedClient> {
 public:
  AttachedClient(StreamingCall& call, AttachService& service) : call_(call), service_(service) {}

  void begin() noexcept override { call_.read(bytes_); }
  void read_done(bool ok) noexcept override;
  void write_done(bool ok) noexcept override;
  void cancelled() noexcept override { let_go(); }

  /// Of none yet: empty.
  const std::string& model_id() const noexcept { return model_id_; }

  void drain() noexcept;
  void let_go() noexcept;

 private:
  v1::AttachEvent attach(const v1::AttachRequest& request);
  void leave() noexcept;
  void go_on() noexcept;

  StreamingCall& call_;
  AttachService& service_;
  std::string model_id_;
  std::weak_ptr<const ServedWorker> model_;
  std::optional<Callers::Attachment> attachment_;
  grpc::ByteBuffer bytes_;

  Mutex mutex_;
  bool writing_ REMOTEMEDIA_GUARDED_BY(mutex_) = true;  ///< Or about to: the first event.
  bool drains_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool over_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool finished_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace remotemedia::detail
