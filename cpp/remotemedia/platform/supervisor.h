// SPDX-License-Identifier: Apache-2.0
//
// The supervisor that started this process, and hears how it is: systemd's, where NOTIFY_SOCKET names its socket.

#pragma once

#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Whether one said that it wants to hear.
///
/// Threads:  any, while nobody changes the environment.
REMOTEMEDIA_API bool has_supervisor() noexcept;

/// state: "READY=1", "STOPPING=1", …; see sd_notify(3).
///
/// Errors:   platform_not_supported where there is none; OsError if it cannot be reached.
/// Threads:  as has_supervisor().
REMOTEMEDIA_API void notify_supervisor(const std::string& state);

}  // namespace remotemedia::platform
