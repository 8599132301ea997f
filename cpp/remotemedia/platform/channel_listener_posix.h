// SPDX-License-Identifier: Apache-2.0
//
// ChannelListener over a socket with an address in the file system.

#pragma once

#include <filesystem>

#include "remotemedia/platform/claimed_address.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

struct ChannelListener::Impl {
  /// Listens already, at `path`, when it returns.
  explicit Impl(std::filesystem::path path);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  /// The socket of the next caller that is of this user; none when `deadline` passed first.
  OwnedHandle accept(TimePoint deadline);

  OwnedHandle socket;

 private:
  std::filesystem::path path_;
  ClaimedAddress address_;
  OwnedHandle spare_;  // let go to have a descriptor with which to turn a caller away
};

}  // namespace remotemedia::platform
