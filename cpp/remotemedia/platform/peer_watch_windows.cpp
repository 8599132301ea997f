// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/channel_windows.h"
#include "remotemedia/platform/peer_watch.h"

namespace remotemedia::platform {

PeerWatch::PeerWatch(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

PeerWatch PeerWatch::of(const DescriptorChannel& channel) {
  const PipePeer& peer = channel.impl_->peer();
  if (!peer.process || wait_for(peer.process.get(), TimePoint::min())) {
    throw Error(ErrorCode::worker_unavailable,
                "asked to watch process " + std::to_string(peer.identity.process) + ", found that it has ended");
  }
  return PeerWatch(duplicate_of(peer.process.get(), SYNCHRONIZE, "watch a process"));
}

bool PeerWatch::wait(TimePoint deadline) const { return wait_for(handle_.get(), deadline); }

}  // namespace remotemedia::platform
