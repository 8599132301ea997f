// SPDX-License-Identifier: Apache-2.0
//
// DescriptorChannel over a socket that keeps messages whole (SOCK_SEQPACKET).

#pragma once

#include <atomic>
#include <memory>

#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

struct DescriptorChannel::Impl {
  explicit Impl(OwnedHandle connected);

  bool send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles, TimePoint deadline);
  Received receive(Message& message, TimePoint deadline);

  OwnedHandle socket;

 private:
  [[noreturn]] void give_up(Message& message, const char* why);
  Received end_or_empty(Message& message);

  std::unique_ptr<std::byte[]> incoming_;
  std::atomic<bool> given_up_{false};
};

}  // namespace remotemedia::platform
