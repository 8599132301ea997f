// SPDX-License-Identifier: Apache-2.0
//
// The text form of keep-alive times, as Ollama's users write them.

#pragma once

#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"

namespace remotemedia {

/// What a negative keep-alive means: no time limit.
inline constexpr Duration kKeepForever = Duration{-1};

/// Reads "90" (seconds), "300ms", "30s", "5m", "1h30m", "1.5h"; "0" is gone at once, any negative one
/// ("-1", "-1m") is kKeepForever.
///
/// Errors:  invalid_argument, with the text and the grammar.
REMOTEMEDIA_API Duration parse_keep_alive(std::string_view text);

/// The same for a number of seconds.
///
/// Errors:  invalid_argument if it is not finite or too large for a Duration.
REMOTEMEDIA_API Duration keep_alive_from_seconds(double seconds);

}  // namespace remotemedia
