// SPDX-License-Identifier: Apache-2.0
//
// Why a library that listens at an address could not, where it does not say.

#pragma once

#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

/// Binds a socket there, and lets it go. The system's number for why not; 0: now it could.
REMOTEMEDIA_API int tcp_bind_error(const std::string& host, const std::string& port) noexcept;

}  // namespace remotemedia::platform
