// SPDX-License-Identifier: Apache-2.0
//
// What a message may have at most. A writer refuses more as invalid_argument, a reader as protocol_error, before it
// takes memory for it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "remotemedia/platform/descriptor_channel.h"

namespace remotemedia::detail {

/// Names of tensors and parameters, ids of workers, models, devices and sessions; in bytes.
inline constexpr std::size_t kMaxNameBytes = 1024;

/// One text: a parameter's, a failure's, a reason; in bytes.
inline constexpr std::size_t kMaxTextBytes = std::size_t{32} * 1024;

inline constexpr std::size_t kMaxParameters = 256;

/// Of a call or an answer, and of each side of a signature.
inline constexpr std::size_t kMaxTensors = 512;

/// The bytes of one tensor inside a message.
inline constexpr std::size_t kMaxInlineBytes = std::size_t{32} * 1024;

inline constexpr std::size_t kMaxChunkBytes = std::size_t{60} * 1024;

/// What anything can be counted to: bytes of the tensors of a call together, of a segment, nanoseconds.
inline constexpr std::uint64_t kMaxCounted = std::numeric_limits<std::int64_t>::max();

inline constexpr std::size_t kMaxVersions = 8;
inline constexpr std::uint32_t kMaxRingDepth = 65'536;

/// Segments of a session are numbered from 0 to one less.
inline constexpr std::uint32_t kMaxSegments = 4096;

/// As many as handles, of which the two doorbells are some.
inline constexpr std::size_t kMaxSegmentsOfMessage = platform::kMaxMessageHandles;
inline constexpr std::size_t kMaxSegmentsOfWelcome = kMaxSegmentsOfMessage - 2;

}  // namespace remotemedia::detail
