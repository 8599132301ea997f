// SPDX-License-Identifier: Apache-2.0

#include <utility>

#include "remotemedia/platform/handle_windows.h"

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
  if (handle_ != kNoHandle) CloseHandle(raw(release()));
}

}  // namespace remotemedia::platform
