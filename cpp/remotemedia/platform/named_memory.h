// SPDX-License-Identifier: Apache-2.0
//
// NamedMemory: shared memory that another program made under a name and may change, cut or remove at any time. It is
// copied from and to by system calls, never mapped, so that nothing that happens to it ends this process.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Threads:  any.
class REMOTEMEDIA_API NamedMemory {
 public:
  NamedMemory(const NamedMemory&) = delete;
  NamedMemory& operator=(const NamedMemory&) = delete;
  virtual ~NamedMemory() = default;

  /// key: as shm_open takes it, with or without the slash in front.
  ///
  /// Errors:  invalid_argument for a key that is none; OsError where there is none, or it is another user's;
  ///          platform_not_supported.
  static std::shared_ptr<NamedMemory> open(const std::string& key);

  /// Errors:  OsError.
  virtual std::uint64_t size() const = 0;

  /// Errors:  invalid_tensor where it ends before; OsError.
  virtual void read(std::uint64_t offset, std::span<std::byte> bytes) const = 0;
  virtual void write(std::uint64_t offset, std::span<const std::byte> bytes) const = 0;

 protected:
  NamedMemory() = default;
};

}  // namespace remotemedia::platform
