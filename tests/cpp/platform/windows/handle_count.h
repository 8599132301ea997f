// SPDX-License-Identifier: Apache-2.0
//
// How many handles this process has.

#pragma once

#include <windows.h>

namespace remotemedia::testing {

inline DWORD handle_count() {
  DWORD count = 0;
  GetProcessHandleCount(GetCurrentProcess(), &count);
  return count;
}

}  // namespace remotemedia::testing
