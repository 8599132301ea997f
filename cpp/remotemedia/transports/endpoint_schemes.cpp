// SPDX-License-Identifier: Apache-2.0
//
// The schemes of this build.

#include <array>

#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::array<EndpointScheme, 1> schemes{unix_scheme()};
  return schemes;
}

}  // namespace remotemedia::detail
