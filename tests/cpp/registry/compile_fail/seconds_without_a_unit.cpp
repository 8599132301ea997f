// SPDX-License-Identifier: Apache-2.0
//
// A duration has a unit.

#include <chrono>

#include "remotemedia/registry/load_options.h"

void set(remotemedia::LoadOptions& options) {
  options.keep_alive = std::chrono::minutes{5};
#ifdef MUST_NOT_COMPILE
  options.timeout = 300;
#endif
}
