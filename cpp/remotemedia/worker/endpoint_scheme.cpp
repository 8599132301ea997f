// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/error.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

const EndpointScheme& scheme_of(const std::string& endpoint) {
  std::string known;
  for (const EndpointScheme& scheme : endpoint_schemes()) {
    if (endpoint.starts_with(scheme.scheme)) return scheme;
    known += (known.empty() ? "" : ", ") + std::string(scheme.scheme);
  }
  throw Error(ErrorCode::invalid_argument,
              "the endpoint '" + endpoint + "' begins with none of the schemes that there are: " + known);
}

}  // namespace remotemedia::detail
