// SPDX-License-Identifier: Apache-2.0
//
// The schemes of this build, with those of the wire linked in.

#include <vector>

#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/worker/transport.h"
#ifdef REMOTEMEDIA_WITH_GRPC
#include "remotemedia/grpc/grpc_schemes.h"
#endif
#ifdef REMOTEMEDIA_WITH_HTTP
#include "remotemedia/http/http_schemes.h"
#endif

namespace remotemedia::detail {

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::vector<EndpointScheme> schemes = [] {
    std::vector<EndpointScheme> all{unix_scheme()};
#ifdef REMOTEMEDIA_WITH_GRPC
    all.insert(all.end(), grpc_schemes().begin(), grpc_schemes().end());
#endif
#ifdef REMOTEMEDIA_WITH_HTTP
    all.push_back(http_scheme());
#endif
    return all;
  }();
  return schemes;
}

}  // namespace remotemedia::detail
