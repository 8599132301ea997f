// SPDX-License-Identifier: Apache-2.0
//
// Copies into memory that others read: past the cache where they are large, so that what others work on stays in it.

#pragma once

#include <cstddef>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// From this size on copies do not go through the cache.
inline constexpr std::size_t kStreamingCopyBytes = std::size_t{8} << 20;

/// As std::memcpy, but 0 bytes may be copied from and to anywhere. What was written is visible to whoever is told
/// afterwards, by whatever means.
REMOTEMEDIA_API void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// The same, past the cache whatever its size: for a piece of something large, which has just been written.
REMOTEMEDIA_API void copy_bytes_past_cache(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

}  // namespace remotemedia
