// SPDX-License-Identifier: Apache-2.0
//
// rounds: how many cases a long test tries: as many as take a moment but at most REMOTEMEDIA_MOST_ROUNDS
// (scripts/test-windows), or REMOTEMEDIA_SOAK_ROUNDS (scripts/soak). What a case is (a descriptor, a record, a killed
// process) is the test's own.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace remotemedia::testing {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it meanwhile
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline std::uint64_t rounds(std::uint64_t usually) {
  const std::uint64_t most = number_from_environment("REMOTEMEDIA_MOST_ROUNDS", usually);
  return number_from_environment("REMOTEMEDIA_SOAK_ROUNDS", std::min(usually, most));
}

/// Likewise, where each case is so much slower with a sanitizer that there are fewer.
inline std::uint64_t slow_rounds(std::uint64_t usually) {
#ifdef REMOTEMEDIA_SANITIZED
  usually /= 10;
#endif
  return rounds(usually);
}

/// Says, twenty times in a soak, how many of its rounds are done; call it for each. In a usual run it is silent.
inline void tell_progress(std::uint64_t done, std::uint64_t of) {
  static const bool soaks = rounds(0) != 0;
  if (!soaks || done % std::max<std::uint64_t>(of / 20, 1) != 0) return;
  std::fprintf(stderr, "%llu of %llu\n", static_cast<unsigned long long>(done), static_cast<unsigned long long>(of));
}

}  // namespace remotemedia::testing
