// SPDX-License-Identifier: Apache-2.0
//
// RandomSource: numbers for tests that try many cases. Its seed is another one each time, is told where a test fails,
// and can be given again: REMOTEMEDIA_TEST_SEED=7 ....

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>

#include "testing/rounds.h"

namespace remotemedia::testing {

class RandomSource {
 public:
  RandomSource() : seed_(number_from_environment("REMOTEMEDIA_TEST_SEED", std::random_device{}())), state_(seed_) {}

  /// For SCOPED_TRACE.
  std::string trace() const { return "REMOTEMEDIA_TEST_SEED=" + std::to_string(seed_); }

  std::uint64_t bits() {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  /// From 0 to `end` - 1.
  std::uint64_t below(std::uint64_t end) { return bits() % end; }
  bool once_in(std::uint64_t times) { return below(times) == 0; }
  std::int64_t between(std::int64_t lowest, std::int64_t highest) {
    return lowest + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(highest - lowest) + 1));
  }

  /// A number where arithmetic goes wrong: around 0, powers of two, the ends of the range; sometimes any.
  std::int64_t edge() {
    switch (below(6)) {
      case 0:
        return between(-3, 3);
      case 1:
        return static_cast<std::int64_t>((std::uint64_t{1} << below(64)) + below(3) - 1);
      case 2:
        return static_cast<std::int64_t>(std::uint64_t{0} - (std::uint64_t{1} << below(64)) + below(3) - 1);
      case 3:
        return std::numeric_limits<std::int64_t>::max() - between(0, 300);
      case 4:
        return std::numeric_limits<std::int64_t>::min() + between(0, 300);
      default:
        return static_cast<std::int64_t>(bits());
    }
  }

 private:
  std::uint64_t seed_;
  std::uint64_t state_;
};

}  // namespace remotemedia::testing
