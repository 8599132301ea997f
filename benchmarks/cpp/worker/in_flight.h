// SPDX-License-Identifier: Apache-2.0
//
// What the arms with many calls in flight have in common.

#pragma once

#include <array>
#include <cstddef>

namespace remotemedia::bench {

inline constexpr std::size_t kInFlight = 100;
inline constexpr std::array kInFlightBytes{std::size_t{0}, std::size_t{4096}};

}  // namespace remotemedia::bench
