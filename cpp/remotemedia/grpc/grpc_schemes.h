// SPDX-License-Identifier: Apache-2.0
//
// The endpoints of gRPC: grpc://host:port, grpc+unix:/path.

#pragma once

#include <span>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

REMOTEMEDIA_API std::span<const EndpointScheme> grpc_schemes() noexcept;

}  // namespace remotemedia::detail
