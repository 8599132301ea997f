// SPDX-License-Identifier: Apache-2.0
//
// SideOfTwoRings: two processes, each of which writes to one ring and reads from the other, in one region.

#pragma once

#include <cstddef>
#include <span>

#include "remotemedia/memory/record_ring.h"

namespace remotemedia::testing {

inline constexpr std::size_t kDepthOfTwoRings = 64;
inline constexpr std::size_t kBytesOfOneSide = 2 * writer_part_bytes(kDepthOfTwoRings);
inline constexpr std::size_t kTwoRingsBytes = 2 * kBytesOfOneSide;

struct SideOfTwoRings {
  /// `number` is 0 for one of the two, 1 for the other. `region`: kTwoRingsBytes, zeros at first.
  SideOfTwoRings(std::span<std::byte> region, std::size_t number)
      : out(records_of(region, number), replies_of(region, 1 - number), kDepthOfTwoRings),
        in(records_of(region, 1 - number), replies_of(region, number), kDepthOfTwoRings) {}

  static std::span<std::byte> records_of(std::span<std::byte> region, std::size_t number) {
    return region.subspan(number * kBytesOfOneSide, writer_part_bytes(kDepthOfTwoRings));
  }
  static std::span<std::byte> replies_of(std::span<std::byte> region, std::size_t number) {
    return region.subspan(number * kBytesOfOneSide + writer_part_bytes(kDepthOfTwoRings), kReaderPartBytes);
  }

  RecordWriter out;
  RecordReader in;
};

}  // namespace remotemedia::testing
