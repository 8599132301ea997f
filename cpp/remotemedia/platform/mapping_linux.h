// SPDX-License-Identifier: Apache-2.0
//
// Where a mapping begins: at addresses that huge pages can stand at.

#pragma once

#include <cstddef>

namespace remotemedia::platform {

/// Maps `size` bytes of `descriptor` for all who have it; from 2 MiB on it begins at a multiple of that. nullptr, with
/// errno, if the system refuses.
std::byte* map_aligned(int descriptor, std::size_t size, int protection) noexcept;

}  // namespace remotemedia::platform
