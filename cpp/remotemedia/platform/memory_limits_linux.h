// SPDX-License-Identifier: Apache-2.0
//
// What Linux and its control groups leave a process, read from /proc and from the groups' own files.

#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// The least of MemAvailable and of what each control group on the way to this process's own has left, version 1 and 2;
/// file pages that the kernel can drop count as free. Nothing if none of them says. All files are looked for below
/// `root`, which is / but for tests.
REMOTEMEDIA_API std::optional<std::size_t> available_memory_below(const std::filesystem::path& root) noexcept;

}  // namespace remotemedia::platform
