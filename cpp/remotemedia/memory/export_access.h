// SPDX-License-Identifier: Apache-2.0
//
// share() and import_block() with what regions need beside: writing, and an end before the last copy goes.

#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "remotemedia/memory/exports.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia {

/// As share(). With read_write importers may write if they ask for it.
Export share_with_access(const MemoryBlock& block, std::span<const std::byte> note, platform::Access access,
                         std::optional<Duration> lease = std::nullopt);

/// Its id cannot be opened from here on; importers that have come keep what they have.
void end_export(const Export& exported) noexcept;

/// As import_block().
///
/// Errors:  shared_memory_unavailable too if writing is asked for and was not granted.
ImportedBlock import_with_access(std::string_view id, platform::Access access, Duration timeout);

}  // namespace remotemedia
