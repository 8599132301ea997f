// SPDX-License-Identifier: Apache-2.0
//
// Callers: who calls over gRPC, as a worker knows them.

#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// By which an attached client's calls are known.
using AttachmentToken = std::array<std::byte, 16>;
using ClientId = std::array<std::byte, 16>;

/// Threads:  any.
class Callers {
 public:
  /// place: of the source where their calls come from.
  explicit Callers(const void* place);

  /// One for each connection: its limits are its own.
  std::shared_ptr<Caller> of_connection(const std::string& peer);

  struct Attachment {
    AttachmentToken token;
    std::shared_ptr<Caller> caller;  ///< The same for all attachments of a client.
  };
  Attachment attach(const ClientId& client);

  /// Whether it was the last one of its client.
  bool detach(const AttachmentToken& token) noexcept;

  /// Errors:  worker_unavailable for a token that is none, or is over.
  std::shared_ptr<Caller> of_attachment(std::string_view token) const;

  /// Of all calls with a session: a sequence may come by any connection, as it may to a Triton.
  const std::shared_ptr<Caller>& of_sessions() const noexcept { return of_sessions_; }

 private:
  const void* const place_;
  const std::shared_ptr<Caller> of_sessions_;
  mutable Mutex mutex_;
  std::map<std::string, std::weak_ptr<Caller>> connections_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::map<AttachmentToken, std::pair<ClientId, std::shared_ptr<Caller>>> attachments_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t sweep_at_ REMOTEMEDIA_GUARDED_BY(mutex_) = 64;
};

}  // namespace remotemedia::detail
