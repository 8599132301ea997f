// SPDX-License-Identifier: Apache-2.0
//
// Sockets with an address in the file system: who lives there, and how an address appears and goes.

#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>

#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// What connect() and bind() take.
///
/// Errors:  invalid_argument, with the limit, for a path that is empty or too long.
sockaddr_un unix_address(const std::filesystem::path& path);

/// An unconnected socket of the kind that carries a DescriptorChannel here.
///
/// Errors:  OsError.
OwnedHandle channel_socket();

/// One of another kind (SOCK_DGRAM); none, with errno, if the system refuses.
OwnedHandle probe_socket() noexcept;

/// An unconnected one of bytes, whose reads and writes do not wait; none, with errno, if the system refuses.
OwnedHandle stream_socket() noexcept;

/// The next caller of `listener`, which may wait; no handle, with errno, if the system refuses.
OwnedHandle accept_socket(int listener) noexcept;

/// Where there are no more descriptors: takes the next caller of `listener` in place of `spare` and lets him go, so
/// that nobody waits for an answer that cannot come.
void turn_away_caller(int listener, OwnedHandle& spare) noexcept;

/// Large messages in few pieces, between which both sides would wait for each other, as far as the system allows. (TCP
/// finds its buffers by itself.)
void send_much_at_once(int socket) noexcept;

/// Errors:  OsError.
PeerIdentity peer_of(int socket);

/// What stands at an address. A probe never reaches the listener.
enum class Occupant { nobody, dead_socket, live_socket, something_else };
Occupant occupant_of(const std::filesystem::path& path) noexcept;

/// A folder, not there yet, beside an address that somebody claims: with a name that tells what it is, no longer than
/// that of a short address, and what is bound in it.
std::filesystem::path claim_in(const std::filesystem::path& folder);
inline constexpr const char* kClaimedSocket = "s";

/// Of a folder: one process at a time looks who lives there and changes it, so that nobody takes away an address that
/// has come to life meanwhile. The system unlocks it when its holder dies.
class FolderLock {
 public:
  /// Not locked, with errno, where that cannot be done by `deadline`.
  FolderLock(const std::filesystem::path& folder, TimePoint deadline) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

  bool locked() const noexcept { return static_cast<bool>(folder_); }

 private:
  OwnedHandle folder_;
};

}  // namespace remotemedia::platform
