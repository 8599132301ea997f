// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/session_table.h"

#include <algorithm>
#include <utility>

namespace remotemedia::detail {

void SessionTable::add_request(const SessionKey& key) { ++sessions_[key].requests; }

void SessionTable::end_request(const SessionKey& key, TimePoint now) {
  const auto session = sessions_.find(key);
  --session->second.requests;
  session->second.idle_since = now;
  if (session->second.requests > 0) return;
  if (session->second.closing || !session->second.state) close(session);
}

SessionState SessionTable::state(const SessionKey& key) const { return sessions_.at(key).state; }

SessionState SessionTable::exchange_state(const SessionKey& key, SessionState state) {
  return std::exchange(sessions_.at(key).state, std::move(state));
}

void SessionTable::close(const SessionKey& key) {
  const auto session = sessions_.find(key);
  if (session != sessions_.end()) close(session);
}

SessionTable::Sessions::iterator SessionTable::close(Sessions::iterator session) {
  if (session->second.requests > 0) {
    session->second.closing = true;
    return std::next(session);
  }
  if (session->second.state) closed_.push_back({session->first.session_id, std::move(session->second.state)});
  return sessions_.erase(session);
}

void SessionTable::close_client(std::uint64_t client_id) {
  auto session = sessions_.lower_bound({client_id, ""});
  while (session != sessions_.end() && session->first.client_id == client_id) session = close(session);
}

void SessionTable::close_all() {
  for (auto session = sessions_.begin(); session != sessions_.end();) session = close(session);
}

TimePoint SessionTable::close_idle(Duration idle, TimePoint now) {
  TimePoint next = TimePoint::max();
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    const bool in_use = session->second.requests > 0;
    const TimePoint ends_at = later(session->second.idle_since, idle);
    if (!in_use && ends_at > now) next = std::min(next, ends_at);
    session = in_use || ends_at > now ? std::next(session) : close(session);
  }
  return next;
}

std::optional<ClosedSession> SessionTable::take_closed() {
  if (closed_.empty()) return std::nullopt;
  ClosedSession closed = std::move(closed_.front());
  closed_.pop_front();
  return closed;
}

}  // namespace remotemedia::detail
