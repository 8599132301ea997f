// SPDX-License-Identifier: Apache-2.0
//
// keep_memory: has malloc give nothing back to the system, as who sends large messages all day sets it up.

#pragma once

#include <malloc.h>

namespace remotemedia::bench {

inline void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace remotemedia::bench
