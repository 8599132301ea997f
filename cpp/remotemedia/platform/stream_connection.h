// SPDX-License-Identifier: Apache-2.0
//
// The caller's side of a StreamListener at a path, for whoever speaks a protocol of bytes with it.

#pragma once

#include <filesystem>

#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Connected to whoever listens there, with room for much to be sent at once; none where nobody does, or cannot take
/// it at once. Its reads and writes do not wait.
REMOTEMEDIA_API OwnedHandle connect_stream(const std::filesystem::path& path) noexcept;

/// The same connection once more; none where the process may open no more.
REMOTEMEDIA_API OwnedHandle same_stream(NativeHandle stream) noexcept;

/// Whether the other side has not closed it, as far as the system knows. One system call.
REMOTEMEDIA_API bool has_peer(NativeHandle stream) noexcept;

}  // namespace remotemedia::platform
