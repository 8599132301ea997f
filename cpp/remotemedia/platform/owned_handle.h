// SPDX-License-Identifier: Apache-2.0
//
// OwnedHandle: a file descriptor or a Windows HANDLE, closed once by its last owner.

#pragma once

#include <cstdint>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// A descriptor, or a HANDLE as an integer. Names nothing in another process.
using NativeHandle = std::intptr_t;

inline constexpr NativeHandle kNoHandle = -1;

/// Threads:  as a std::unique_ptr.
class REMOTEMEDIA_API OwnedHandle {
 public:
  OwnedHandle() noexcept = default;
  explicit OwnedHandle(NativeHandle handle) noexcept : handle_(handle) {}
  OwnedHandle(OwnedHandle&& other) noexcept : handle_(other.release()) {}
  OwnedHandle& operator=(OwnedHandle&& other) noexcept;
  ~OwnedHandle();

  NativeHandle get() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != kNoHandle; }

  /// Gives the handle away; the caller closes it.
  NativeHandle release() noexcept;

  void close() noexcept;

 private:
  NativeHandle handle_ = kNoHandle;
};

}  // namespace remotemedia::platform
