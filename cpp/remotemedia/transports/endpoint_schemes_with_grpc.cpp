// SPDX-License-Identifier: Apache-2.0
//
// The schemes of a build with gRPC.

#include <vector>

#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/grpc/grpc_schemes.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::vector<EndpointScheme> schemes = [] {
    std::vector<EndpointScheme> all{unix_scheme()};
    all.insert(all.end(), grpc_schemes().begin(), grpc_schemes().end());
    return all;
  }();
  return schemes;
}

}  // namespace remotemedia::detail
