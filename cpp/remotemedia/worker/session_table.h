// SPDX-License-Identifier: Apache-2.0
//
// SessionTable: the state that a model keeps for each session, and which sessions are to be closed. It knows neither
// threads nor a clock, and calls no model.

#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// What the model keeps for a session. Held by pointer, so that neither its copies nor its end are made here.
using SessionState = std::shared_ptr<std::any>;

/// A session whose end the model has to hear of.
struct ClosedSession {
  std::string session_id;
  SessionState state;
};

/// Threads:  one at a time.
class REMOTEMEDIA_API SessionTable {
 public:
  /// A request of it was accepted; ended, as the worker has done with it.
  void add_request(const SessionKey& key);
  void end_request(const SessionKey& key, TimePoint now);

  /// Null until exchange_state(), which returns what was there. Of a session that has requests.
  SessionState state(const SessionKey& key) const;
  [[nodiscard]] SessionState exchange_state(const SessionKey& key, SessionState state);

  /// Closed now, or when none of its requests is left.
  void close(const SessionKey& key);
  void close_client(std::uint64_t client_id);
  void close_all();

  /// Closes what has had no request for so long, and says when there is something to close again.
  TimePoint close_idle(Duration idle, TimePoint now);

  std::optional<ClosedSession> take_closed();
  bool any_closed() const noexcept { return !closed_.empty(); }

  /// Those that are open, or have requests.
  std::size_t size() const noexcept { return sessions_.size(); }

 private:
  struct Session {
    SessionState state;
    std::size_t requests = 0;
    bool closing = false;
    TimePoint idle_since;
  };
  using Sessions = std::map<SessionKey, Session>;

  Sessions::iterator close(Sessions::iterator session);

  Sessions sessions_;
  std::deque<ClosedSession> closed_;
};

}  // namespace remotemedia::detail
