// SPDX-License-Identifier: Apache-2.0
//
// Facts about this process and its machine: pages, memory that may be had, identity, randomness, the run directory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Bytes of a page; a power of two.
REMOTEMEDIA_API std::size_t page_bytes() noexcept;

/// Of a larger page; memory that is to be made of some begins at a multiple of it.
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

/// Asks that memory of this process, which is not written yet, is made of larger pages where the system has them: fewer
/// faults when it is, and less to look up for the processor.
REMOTEMEDIA_API void prefer_huge_pages(std::byte* memory, std::size_t bytes) noexcept;

/// Bytes that this process could still have: the least of what the machine calls available and what its control groups
/// leave. Nothing where the system does not say.
REMOTEMEDIA_API std::optional<std::size_t> available_memory() noexcept;

/// Of this process, now: different in a forked child.
REMOTEMEDIA_API std::int64_t process_id() noexcept;

/// Fills `bytes` from the system's source for secrets.
///
/// Errors:  OsError.
REMOTEMEDIA_API void random_bytes(std::span<std::byte> bytes);

/// The folder for this user's addresses, made when missing: remotemedia in $XDG_RUNTIME_DIR, else remotemedia-<uid> in
/// the folder for temporary files. It belongs to this user and nobody else can enter it (0700).
///
/// Errors:  OsError; shared_memory_unavailable if it is another user's, a link, or open to others: it is not used.
REMOTEMEDIA_API std::filesystem::path run_directory();

/// What the system offers to shared memory, tried out and not guessed.
struct SharedMemorySupport {
  bool available = false;
  std::string reason;       ///< Why not; empty when available.
  bool seals = false;       ///< The system itself forbids new writers.
  bool huge_pages = false;  ///< A mapping got some.
};

/// Cost:  some milliseconds; makes a small segment and lets it go.
REMOTEMEDIA_API SharedMemorySupport probe_shared_memory() noexcept;

}  // namespace remotemedia::platform
