// SPDX-License-Identifier: Apache-2.0
//
// The scheme of OIP's REST: http://host:port, which is encrypted where the worker has tls.

#pragma once

#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

const EndpointScheme& http_scheme() noexcept;

}  // namespace remotemedia::detail
