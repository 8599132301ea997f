// SPDX-License-Identifier: Apache-2.0
//
// StreamListener: sockets where callers come who speak a protocol of bytes, for whoever speaks it with them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Threads:  one at a time.
class REMOTEMEDIA_API StreamListener {
 public:
  StreamListener() noexcept = default;

  /// At those addresses of `host` that can be had, one at least; at port "0" at a free one, the same for all.
  ///
  /// Errors:  OsError: EADDRINUSE, EADDRNOTAVAIL, EACCES, …
  static StreamListener at_port(const std::string& host, const std::string& port);

  /// At a path where nothing is.
  ///
  /// Errors:  OsError; invalid_argument for a path that is too long.
  static StreamListener at_path(const std::filesystem::path& path);

  int port() const noexcept { return port_; }

  /// For wait_for_any.
  const std::vector<OwnedHandle>& sockets() const noexcept { return sockets_; }

  /// The next caller of a socket, whose reads and writes do not wait; none where there is none.
  ///
  /// Errors:  OsError. Where the process may open no more, the caller is turned away first.
  OwnedHandle accept(const OwnedHandle& socket);

 private:
  std::vector<OwnedHandle> sockets_;
  OwnedHandle spare_;
  int port_ = 0;
};

/// What tells a connection of this process from every other; 0 where `handle` is none.
REMOTEMEDIA_API std::uint64_t connection_id(NativeHandle handle) noexcept;

/// Handles that this process may have.
REMOTEMEDIA_API std::size_t most_handles() noexcept;

}  // namespace remotemedia::platform
