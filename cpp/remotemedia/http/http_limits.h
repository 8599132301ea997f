// SPDX-License-Identifier: Apache-2.0
//
// What strangers may take of a server.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace remotemedia::detail {

/// Or a quarter of what the process may open; beyond, whoever has waited longest with a request unsaid is let go.
inline constexpr std::size_t kMostConnections = 1024;

inline constexpr std::uint32_t kMostHeaderBytes = 16 << 10;
inline constexpr std::uint64_t kMostBodyBytes = 2ULL << 30U;

/// Of a body whose length is not said before.
inline constexpr std::uint64_t kMostChunkedBytes = 64ULL << 20U;

/// A number of one digit, and what stands between it and the next, becomes twelve times as many bytes.
inline constexpr std::size_t kMostJsonBytes = 64U << 20U;
inline constexpr std::uint64_t kJsonGrows = 12;

/// Of all requests whose answers are not yet written.
inline constexpr std::uint64_t kMostBytesInFlight = 4ULL << 30U;

/// From a connection, or the answer before, to the end of a request's head.
inline constexpr std::chrono::seconds kTimeForHead{20};

/// For a body or an answer: so long, and as long again for each `kSlowestBytes`.
inline constexpr std::chrono::seconds kTimeForBytes{20};
inline constexpr std::uint64_t kSlowestBytes = 1U << 20U;

}  // namespace remotemedia::detail
