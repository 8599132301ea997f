// SPDX-License-Identifier: Apache-2.0
//
// Memory for elements that came. What was large and let go is used again: pages that are fresh from the system cost
// more than the copy into them.

#pragma once

#include <cstddef>
#include <memory>

#include "remotemedia/base/export.h"

namespace remotemedia::detail {

/// Most that the process keeps while nobody uses it.
inline constexpr std::size_t kMostKeptBytes = std::size_t{64} << 20;

/// So many bytes, aligned for all element types, until the last copy of the pointer goes.
///
/// Threads:  any.
/// Errors:   std::bad_alloc.
REMOTEMEDIA_API std::shared_ptr<std::byte> received_memory(std::size_t bytes);

}  // namespace remotemedia::detail
