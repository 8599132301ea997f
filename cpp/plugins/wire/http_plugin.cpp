// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/export.h"
#include "remotemedia/http/http_schemes.h"

extern "C" REMOTEMEDIA_API const remotemedia::detail::EndpointScheme* remotemedia_http_scheme() {
  return &remotemedia::detail::http_scheme();
}
