// SPDX-License-Identifier: Apache-2.0
//
// Counting the system calls of this thread from the inside, without strace: a seccomp filter stops each of them, a
// handler counts it and makes it.

#pragma once

#include <cstdint>

namespace remotemedia::bench {

/// From here on the system calls of this thread are counted. Has no way back, and processes that this thread starts
/// afterwards die of it. A second call does nothing.
void count_system_calls();

/// Of this thread, so far.
std::uint64_t system_calls();

}  // namespace remotemedia::bench
