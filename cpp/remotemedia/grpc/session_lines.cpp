// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/session_lines.h"

#include <algorithm>
#include <utility>

namespace remotemedia::detail {

bool SessionLines::enter(const std::string& session, Waiting waiting) {
  MutexLock lock(mutex_);
  std::deque<Waiting>& line = lines_[session];
  line.push_back(std::move(waiting));
  return line.size() == 1;
}

std::optional<SessionLines::Waiting> SessionLines::next_after(const std::string& session,
                                                              const ClientCall& call) noexcept {
  Waiting done;
  MutexLock lock(mutex_);
  const auto line = lines_.find(session);
  if (line == lines_.end() || line->second.front().call.get() != &call) return std::nullopt;
  done = std::move(line->second.front());
  line->second.pop_front();
  if (!line->second.empty()) return line->second.front();
  lines_.erase(line);
  return std::nullopt;
}

bool SessionLines::withdraw(const std::string& session, const ClientCall& call) noexcept {
  Waiting withdrawn;
  MutexLock lock(mutex_);
  const auto line = lines_.find(session);
  if (line == lines_.end()) return false;
  const auto found = std::find_if(std::next(line->second.begin()), line->second.end(),
                                  [&](const Waiting& waiting) { return waiting.call.get() == &call; });
  if (found == line->second.end()) return false;
  withdrawn = std::move(*found);
  line->second.erase(found);
  return true;
}

}  // namespace remotemedia::detail
