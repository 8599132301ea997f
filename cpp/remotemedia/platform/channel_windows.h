// SPDX-License-Identifier: Apache-2.0
//
// What a channel is on Windows: one end of a named pipe of messages, which always has one read under way, and a handle
// of the process at the other end.

#pragma once

#include <array>

#include "remotemedia/base/mutex.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/handle_windows.h"

namespace remotemedia::platform {

/// Who holds the other end. No process where it ended before it could be opened.
struct PipePeer {
  OwnedHandle process;
  PeerIdentity identity;
};

/// \\.\pipe\remotemedia-<128 random bits>.
///
/// Errors:  OsError.
std::wstring random_pipe_name();

/// What a pipe holds in each direction before a write waits.
inline constexpr DWORD kQueueBytes = 256 * 1024;

/// Whether `name` could have come from random_pipe_name().
bool is_pipe_name(std::wstring_view name) noexcept;

/// An instance of the pipe `name`, which this user alone can connect to, from this machine alone. `first`: the name
/// must be new.
///
/// Errors:  OsError.
OwnedHandle create_pipe(const std::wstring& name, bool first);

/// The process at the other end of a connected pipe; `server`: this is the end that create_pipe() made.
///
/// Errors:  OsError.
PipePeer peer_of(const OwnedHandle& pipe, bool server);

/// Threads:  as DescriptorChannel.
struct DescriptorChannel::Impl {
 public:
  /// Errors:  OsError.
  Impl(OwnedHandle connected_pipe, PipePeer who);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles, TimePoint deadline);
  Received receive(Message& message, TimePoint deadline);
  void shut_down() noexcept;

  const PipePeer& peer() const noexcept { return peer_; }
  NativeHandle wait_handle() const noexcept { return read_done_.get(); }

 private:
  /// Handles of this process that were duplicated into the peer, as it calls them; taken back unless they went off.
  class Parcel;

  void begin_reading() REMOTEMEDIA_REQUIRES(mutex_);
  DWORD result_of_reading(DWORD& size) REMOTEMEDIA_REQUIRES(mutex_);
  void close_unread() noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void close_pipe() noexcept REMOTEMEDIA_REQUIRES(mutex_);
  DWORD write(std::span<const std::byte> frame, TimePoint deadline);

  const PipePeer peer_;
  const OwnedHandle read_done_;  ///< Set while there is something to receive.
  const OwnedHandle write_done_;

  Mutex mutex_;  ///< Held for calls that do not wait.
  OwnedHandle pipe_ REMOTEMEDIA_GUARDED_BY(mutex_);
  OVERLAPPED reading_ REMOTEMEDIA_GUARDED_BY(mutex_){};
  OVERLAPPED writing_ REMOTEMEDIA_GUARDED_BY(mutex_){};
  DWORD read_error_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Of a read that did not get under way.
  bool write_under_way_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::vector<std::byte> frame_ REMOTEMEDIA_GUARDED_BY(mutex_);

  /// Of the frame that the queue had no room for. While it is full no smaller one overtakes: it is made as large.
  std::size_t refused_size_ = 0;
};

}  // namespace remotemedia::platform
