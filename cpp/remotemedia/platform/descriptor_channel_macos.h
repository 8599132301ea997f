// SPDX-License-Identifier: Apache-2.0
//
// DescriptorChannel over a stream, since this system has no SOCK_SEQPACKET for local addresses: each message travels
// behind its header, and what has come of one so far is kept.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// In front of each message, as both sides have numbers: they are on one machine.
struct MessageHeader {
  std::uint32_t bytes = 0;
  std::uint32_t handles = 0;
};
static_assert(sizeof(MessageHeader) == 8);

/// When a process that still runs began, in the system's microseconds; 0 if there is none of that number.
std::int64_t started_at(std::int64_t process) noexcept;

struct DescriptorChannel::Impl {
  /// Errors:  OsError.
  explicit Impl(OwnedHandle connected);

  bool send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles, TimePoint deadline);
  Received receive(Message& message, TimePoint deadline);

  OwnedHandle socket;
  PeerIdentity peer;              ///< When the channel was made; the system forgets it once the peer is gone.
  std::int64_t peer_started = 0;  ///< Tells the process from a later one of the same number; 0 if it was gone already.

 private:
  enum class Read { some, nothing, end };

  Read read_some();
  bool is_complete() const noexcept;
  void begin_message();
  [[noreturn]] void give_up(const std::string& why);

  bool can_send_;  // without a signal that would end this process
  MessageHeader header_;
  Message incoming_;
  std::size_t arrived_ = 0;  ///< Of header and message together.
  bool given_up_ = false;
};

}  // namespace remotemedia::platform
