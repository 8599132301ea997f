// SPDX-License-Identifier: Apache-2.0
//
// What strangers may take of a server.

#pragma once

#include <cstddef>
#include <cstdint>

namespace remotemedia::detail {

/// Of one server, or half of what the process may open; beyond, the one that has said nothing for longest goes, or the
/// new one.
inline constexpr std::size_t kMostConnections = 8192;

/// Calls of one connection; what is beyond waits at the client.
inline constexpr int kMostStreams = 1024;

/// Of the head of a call.
inline constexpr int kMostMetadataBytes = 16 << 10;

/// Of all requests whose answers are not yet written; beyond, a call is rejected.
inline constexpr std::uint64_t kMostRequestBytes = 4ULL << 30U;

/// Of what gRPC holds: beyond, it reads little, lets idle connections go, then ends calls.
inline constexpr std::size_t kMostBytesReceived = std::size_t{4} << 30U;

// Milliseconds:
inline constexpr int kTimeForHandshake = 20'000;
inline constexpr int kTimeWithoutCalls = 600'000;  ///< After which a connection is let go.
inline constexpr int kTimeWithoutBytes = 30'000;   ///< After which it has to answer a ping,
inline constexpr int kTimeForPing = 20'000;        ///< within this.
inline constexpr int kTimeBetweenPings = 5'000;    ///< Of a client that has no call: after three sooner ones it goes.

}  // namespace remotemedia::detail
