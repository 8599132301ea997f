// SPDX-License-Identifier: Apache-2.0
//
// SessionLines: the calls of one session go out one after the other. Each is a stream of HTTP/2 of its own, and streams
// overtake each other.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

class ClientCall;

/// Threads:  any.
class SessionLines {
 public:
  struct Waiting {
    std::shared_ptr<ClientCall> call;
    grpc::ByteBuffer request;
  };

  /// Whether it is its turn already.
  bool enter(const std::string& session, Waiting waiting);

  /// After the one whose turn it was; none where nobody waits.
  std::optional<Waiting> next_after(const std::string& session, const ClientCall& call) noexcept;

  /// Takes one out that waits; whether it did.
  bool withdraw(const std::string& session, const ClientCall& call) noexcept;

 private:
  Mutex mutex_;
  std::map<std::string, std::deque<Waiting>> lines_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Whose turn it is, and others.
};

}  // namespace remotemedia::detail
