// SPDX-License-Identifier: Apache-2.0
//
// SegmentHeader: the first 4,096 bytes of every segment. Byte layout and version rules: docs/memory.md, "Segments".

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace remotemedia {

inline constexpr std::size_t kSegmentHeaderBytes = 4096;
inline constexpr std::size_t kBlockAlignment = 256;

using Uuid = std::array<std::byte, 16>;

/// What a header says. A private copy: the bytes in shared memory are read once.
struct SegmentHeader {
  std::uint64_t segment_bytes = 0;  ///< Of the whole segment, header included.
  Uuid uuid{};
  std::uint32_t required_features = 0;  ///< Bits that a reader must know.
  std::uint32_t optional_features = 0;
};

/// Writes magic "RMSG", version 1.0, byte order, sizes, features and a CRC-32C over them.
void write_segment_header(std::span<std::byte, kSegmentHeaderBytes> to, const SegmentHeader& header) noexcept;

/// Reads and checks a header that another process wrote.
///
/// Errors:  protocol_error that names the field, what was expected and what was found.
SegmentHeader read_segment_header(std::span<const std::byte> segment);

}  // namespace remotemedia
