// SPDX-License-Identifier: Apache-2.0
//
// ClaimedAddress: an address in the file system for somebody who binds a socket himself.

#pragma once

#include <filesystem>
#include <memory>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Claims an address that nobody serves: one that a dead process left is taken over. Until publish() or its end nobody
/// else claims one in the same folder.
///
/// Threads:  one.
class REMOTEMEDIA_API ClaimedAddress {
 public:
  /// Errors:  OsError, EADDRINUSE for what is served or is no socket; invalid_argument for a path that is too long.
  explicit ClaimedAddress(const std::filesystem::path& path);
  ClaimedAddress(ClaimedAddress&&) noexcept;
  ClaimedAddress& operator=(ClaimedAddress&&) noexcept;

  /// Takes the address away, unless somebody else has it by now.
  ~ClaimedAddress();

  /// Where to bind meanwhile: in a folder that only this user enters.
  const std::filesystem::path& unfinished() const noexcept;

  /// Gives the bound socket its address, open to this user alone.
  ///
  /// Errors:  OsError.
  void publish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace remotemedia::platform
