// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/export.h"
#include "remotemedia/grpc/grpc_schemes.h"

extern "C" REMOTEMEDIA_API const remotemedia::detail::EndpointScheme* remotemedia_grpc_scheme() {
  return &remotemedia::detail::grpc_schemes().front();
}
