// SPDX-License-Identifier: Apache-2.0
//
// Log: one sink that the host program may set. Without one the library is silent.

#pragma once

#include <functional>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

enum class LogLevel { debug, info, warning, error };

using LogSink = std::function<void(LogLevel, std::string_view message)>;

/// Sends what the library has to say to `sink`; an empty one silences it again. A sink is called from any
/// thread, without a lock of the library held, and must not throw.
REMOTEMEDIA_API void set_log_sink(LogSink sink);

REMOTEMEDIA_API void log(LogLevel level, std::string_view message) noexcept;

}  // namespace remotemedia
