// SPDX-License-Identifier: Apache-2.0
//
// "unix:/path": workers of this machine, by shared memory.

#pragma once

#include "remotemedia/base/export.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

REMOTEMEDIA_API const EndpointScheme& unix_scheme() noexcept;

}  // namespace remotemedia::detail
