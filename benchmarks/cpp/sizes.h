// SPDX-License-Identifier: Apache-2.0
//
// Sizes of tensors that go to another process.

#pragma once

#include <array>
#include <cstddef>

namespace remotemedia::bench {

inline constexpr std::size_t kKiB = std::size_t{1} << 10;
inline constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Tensors that are handed over.
inline constexpr std::array kTensorBytes{std::size_t{0}, std::size_t{4096}, kMiB, 10 * kMiB, 100 * kMiB, 1024 * kMiB};

}  // namespace remotemedia::bench
