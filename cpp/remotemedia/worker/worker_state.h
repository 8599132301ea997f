// SPDX-License-Identifier: Apache-2.0
//
// WorkerState: what a worker is at, and what may follow what.

#pragma once

#include <cstdint>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

enum class WorkerState : std::uint8_t {
  starting,    ///< The model warms up.
  ready,       ///< An instance is free.
  busy,        ///< Every instance runs.
  stopping,    ///< What was accepted is finished, nothing new is.
  terminated,  ///< Over.
};

/// "ready".
REMOTEMEDIA_API std::string_view to_string(WorkerState state) noexcept;

/// Whether `to` may follow `from`.
REMOTEMEDIA_API bool is_legal_transition(WorkerState from, WorkerState to) noexcept;

}  // namespace remotemedia
