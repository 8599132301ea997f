// SPDX-License-Identifier: Apache-2.0

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

OwnedHandle& OwnedHandle::operator=(OwnedHandle&& other) noexcept {
  if (this != &other) {
    close();
    handle_ = other.release();
  }
  return *this;
}

OwnedHandle::~OwnedHandle() { close(); }

NativeHandle OwnedHandle::release() noexcept { return std::exchange(handle_, kNoHandle); }

void OwnedHandle::close() noexcept {
  if (handle_ == kNoHandle) return;
  const int error = errno;  // for those who throw what errno says once all is closed
  ::close(static_cast<int>(release()));
  errno = error;
}

}  // namespace remotemedia::platform
