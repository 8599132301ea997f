// SPDX-License-Identifier: Apache-2.0
//
// ModelState: where a key of the registry stands, and the only ways from one state to another.

#pragma once

#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

enum class ModelState {
  absent,    ///< Nothing is loaded; not listed.
  loading,   ///< A load was asked for: it waits for its turn, for room, or runs.
  ready,     ///< In memory and to be had.
  evicting,  ///< Gone for callers, its memory not yet released.
  failed,    ///< The last load failed and is remembered for failed_load_ttl.
};

REMOTEMEDIA_API std::string_view to_string(ModelState state) noexcept;

/// The table of legal transitions.
REMOTEMEDIA_API bool is_legal_transition(ModelState from, ModelState to) noexcept;

}  // namespace remotemedia
