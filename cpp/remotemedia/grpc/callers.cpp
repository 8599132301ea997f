// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/callers.h"

#include <algorithm>
#include <span>

#include "remotemedia/base/error.h"
#include "remotemedia/oip/heap_caller.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia::detail {

Callers::Callers(const void* place) : place_(place), of_sessions_(std::make_shared<HeapCaller>("grpc", place_)) {}

std::shared_ptr<Caller> Callers::of_connection(const std::string& peer) {
  MutexLock lock(mutex_);
  std::weak_ptr<Caller>& known = connections_[peer];
  if (std::shared_ptr<Caller> caller = known.lock()) return caller;
  auto caller = std::make_shared<HeapCaller>("grpc", place_);
  known = caller;
  if (connections_.size() >= sweep_at_) {
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * connections_.size());
  }
  return caller;
}

Callers::Attachment Callers::attach(const ClientId& client) {
  Attachment made;
  platform::random_bytes(made.token);
  MutexLock lock(mutex_);
  const auto same = std::ranges::find_if(attachments_, [&](const auto& each) { return each.second.first == client; });
  made.caller = same != attachments_.end() ? same->second.second : std::make_shared<HeapCaller>("grpc", place_);
  attachments_.emplace(made.token, std::pair(client, made.caller));
  return made;
}

bool Callers::detach(const AttachmentToken& token) noexcept {
  MutexLock lock(mutex_);
  const auto found = attachments_.find(token);
  if (found == attachments_.end()) return false;
  const ClientId client = found->second.first;
  attachments_.erase(found);
  return std::ranges::none_of(attachments_, [&](const auto& each) { return each.second.first == client; });
}

std::shared_ptr<Caller> Callers::of_attachment(std::string_view token) const {
  AttachmentToken wanted{};
  if (token.size() == wanted.size()) {
    std::ranges::copy(std::as_bytes(std::span(token)), wanted.begin());
    MutexLock lock(mutex_);
    if (const auto found = attachments_.find(wanted); found != attachments_.end()) return found->second.second;
  }
  throw Error(ErrorCode::worker_unavailable, "this client is not attached, or not any more");
}

}  // namespace remotemedia::detail
