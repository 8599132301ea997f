// SPDX-License-Identifier: Apache-2.0
//
// DescriptorChannel: messages of bytes and handles between two processes of one machine. Whoever connects is known by
// user and process; when one side dies the other is told by the system.
//
//     ChannelListener listener = ChannelListener::listen(run_directory() / "worker");
//     std::optional<DescriptorChannel> client = listener.accept(deadline);
//     client->send(bytes, handles);
//
// Linux: SOCK_SEQPACKET and SCM_RIGHTS. macOS: a stream with lengths and SCM_RIGHTS. Windows: a named pipe that refuses
// other machines, and handles duplicated into the peer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Who is on the other side, from the system and not from the peer.
struct PeerIdentity {
  std::int64_t process = 0;
  bool same_user = false;
};

struct Message {
  std::vector<std::byte> bytes;
  std::vector<OwnedHandle> handles;
};

inline constexpr std::size_t kMaxMessageBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxMessageHandles = 8;

/// Two-way, in order, messages stay whole.
///
/// Threads:  one may send while another receives; shut_down() from any.
class REMOTEMEDIA_API DescriptorChannel {
 public:
  /// Errors:  shared_memory_unavailable if nobody listens there; deadline_exceeded; OsError.
  static DescriptorChannel connect(const std::filesystem::path& address, TimePoint deadline);

  /// Two ends in this process, for tests and for children that inherit one.
  ///
  /// Errors:  OsError.
  static std::pair<DescriptorChannel, DescriptorChannel> pair();

  DescriptorChannel() noexcept;
  DescriptorChannel(DescriptorChannel&&) noexcept;
  DescriptorChannel& operator=(DescriptorChannel&&) noexcept;
  ~DescriptorChannel();

  /// Whether the peer got it into its queue: false when the peer is gone, or when its queue stayed full until
  /// `deadline` (one in the past: never waits). The handles are duplicated, not taken.
  ///
  /// Errors:  OsError; invalid_argument beyond kMaxMessageBytes, kMaxMessageHandles or for an empty message.
  bool send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles, TimePoint deadline);

  enum class Received { message, closed, nothing };

  /// The next message into `message`; `closed` when the peer is gone and all it sent is read; `nothing` when `deadline`
  /// passed first (one in the past: never waits).
  ///
  /// Errors:  protocol_error for a message that is too large, was cut, or whose handles could not all be received (this
  ///          process is out of handles): what did arrive is closed, and the channel is shut down. OsError.
  Received receive(Message& message, TimePoint deadline);

  /// Errors:  OsError.
  PeerIdentity peer() const;

  /// Whether the peer has closed its end, also where not all that it sent is read. Windows does not know.
  ///
  /// Errors:  OsError.
  bool peer_has_left() const;

  /// Ends both directions for both sides, also where a forked child has a copy of this end.
  void shut_down() noexcept;

  /// For wait_for_any: ready when receive() has something to say.
  NativeHandle wait_handle() const noexcept;

  explicit operator bool() const noexcept;

  struct Impl;  // of the system

 private:
  friend class ChannelListener;
  friend class PeerWatch;
  explicit DescriptorChannel(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

/// Accepts channels at an address in the file system, which only this user can connect to.
///
/// Threads:  accept() from one thread at a time.
class REMOTEMEDIA_API ChannelListener {
 public:
  /// The address appears with listening under way: nobody can find it deaf. Its folder must be the user's own (0700).
  ///
  /// Errors:  OsError, among them EADDRINUSE if something lives there; invalid_argument if the path is too long.
  static ChannelListener listen(const std::filesystem::path& address);

  ChannelListener() noexcept;
  ChannelListener(ChannelListener&&) noexcept;
  ChannelListener& operator=(ChannelListener&&) noexcept;

  /// Takes the address away, but not in a forked child.
  ~ChannelListener();

  /// The next channel, or nothing when `deadline` passed first. Channels of other users are closed and never returned.
  ///
  /// Errors:  OsError; where this process is out of handles the caller in the queue is turned away, not left to hang.
  std::optional<DescriptorChannel> accept(TimePoint deadline);

  /// For wait_for_any: ready when somebody waits to be accepted.
  NativeHandle wait_handle() const noexcept;

  explicit operator bool() const noexcept;

  struct Impl;  // of the system

 private:
  explicit ChannelListener(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

/// Removes from `folder` the addresses whose listener has died; returns how many. Live ones are never touched.
REMOTEMEDIA_API std::size_t remove_dead_addresses(const std::filesystem::path& folder) noexcept;

}  // namespace remotemedia::platform
