// SPDX-License-Identifier: Apache-2.0
//
// cpu_relax: a moment's rest between two looks at memory that another thread writes.

#pragma once

namespace remotemedia::platform {

/// Some 20 ns in which the other thread of the same core, if it has one, gets all of it. No system call.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace remotemedia::platform
