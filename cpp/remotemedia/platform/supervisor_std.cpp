// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/error.h"
#include "remotemedia/platform/supervisor.h"

namespace remotemedia::platform {

bool has_supervisor() noexcept { return false; }

void notify_supervisor(const std::string& /*state*/) {
  throw Error(ErrorCode::platform_not_supported, "this system has no supervisor that hears how a process is");
}

}  // namespace remotemedia::platform
