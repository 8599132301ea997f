// SPDX-License-Identifier: Apache-2.0
//
// The schemes of a build whose wire is in libraries beside this one.

#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/unix_scheme.h"
#include "remotemedia/platform/shared_library.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {
namespace {

struct Grpc {
  static constexpr const char* kLibrary = "libremotemedia_grpc.so";
  static constexpr const char* kScheme = "remotemedia_grpc_scheme";
};

struct Http {
  static constexpr const char* kLibrary = "libremotemedia_http.so";
  static constexpr const char* kScheme = "remotemedia_http_scheme";
};

/// Plugin: its schemes all begin alike. Found beside this library by its run path.
template <class Plugin>
const EndpointScheme& loaded() {
  const platform::SharedLibrary library = platform::SharedLibrary::open(Plugin::kLibrary);
  const auto scheme = reinterpret_cast<const EndpointScheme* (*)()>(library.find(Plugin::kScheme));
  if (scheme == nullptr) {
    throw Error(ErrorCode::platform_not_supported,
                std::string(Plugin::kLibrary) + " is of another version of remotemedia");
  }
  return *scheme();
}

template <class Plugin>
EndpointScheme plugin_scheme(std::string_view scheme) {
  return {
      scheme,
      Transport::grpc,
      [](const ServedWorker& worker, const std::string& endpoint) { return loaded<Plugin>().listen(worker, endpoint); },
      [](const std::string& endpoint, std::span<const std::byte, 16> client_id, const ConnectOptions& options,
         TimePoint deadline) { return loaded<Plugin>().connect(endpoint, client_id, options, deadline); },
      [] { return loaded<Plugin>().default_endpoint(); },
      [](const std::string& endpoint, const ConnectOptions& options) {
        return loaded<Plugin>().connect_models(endpoint, options);
      }};
}

}  // namespace

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::vector<EndpointScheme> schemes = [] {
    std::vector<EndpointScheme> all{unix_scheme()};
#ifdef REMOTEMEDIA_WITH_GRPC
    all.push_back(plugin_scheme<Grpc>("grpc://"));
    all.push_back(plugin_scheme<Grpc>("grpc+unix:"));
#endif
#ifdef REMOTEMEDIA_WITH_HTTP
    all.push_back(plugin_scheme<Http>("http://"));
#endif
    return all;
  }();
  return schemes;
}

}  // namespace remotemedia::detail
