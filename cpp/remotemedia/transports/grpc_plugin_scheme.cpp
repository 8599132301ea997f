// SPDX-License-Identifier: Apache-2.0
//
// The schemes of a build whose gRPC is a library beside this one.

#include <array>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/platform/shared_library.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {
namespace {

/// One of its schemes, which all begin alike, found beside this library by its run path.
const EndpointScheme& loaded() {
  constexpr const char* kLibrary = "libremotemedia_grpc.so";
  const platform::SharedLibrary library = platform::SharedLibrary::open(kLibrary);
  const auto scheme = reinterpret_cast<const EndpointScheme* (*)()>(library.find("remotemedia_grpc_scheme"));
  if (scheme == nullptr) {
    throw Error(ErrorCode::platform_not_supported, std::string(kLibrary) + " is of another version of remotemedia");
  }
  return *scheme();
}

std::unique_ptr<WorkerListener> listen(const ServedWorker& worker, const std::string& endpoint) {
  return loaded().listen(worker, endpoint);
}

std::shared_ptr<WorkerConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> client_id,
                                          const ConnectOptions& options, TimePoint deadline) {
  return loaded().connect(endpoint, client_id, options, deadline);
}

std::string default_endpoint() { return loaded().default_endpoint(); }

}  // namespace

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::array<EndpointScheme, 3> schemes{
      unix_scheme(), EndpointScheme{"grpc://", Transport::grpc, &listen, &connect, &default_endpoint},
      EndpointScheme{"grpc+unix:", Transport::grpc, &listen, &connect, &default_endpoint}};
  return schemes;
}

}  // namespace remotemedia::detail
