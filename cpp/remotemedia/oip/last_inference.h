// SPDX-License-Identifier: Apache-2.0
//
// When a model ran last, as the protocol says it.

#pragma once

#include <cstdint>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/worker_statistics.h"

namespace remotemedia::detail {

/// Milliseconds since 1970; 0: never.
REMOTEMEDIA_API std::uint64_t last_inference(const WorkerCounts& counts);

}  // namespace remotemedia::detail
