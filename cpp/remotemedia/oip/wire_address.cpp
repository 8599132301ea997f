// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/wire_address.h"

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

/// A name that begins with 127. is none of these numbers.
bool is_loopback(const std::string& host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

void refuse_endpoint(const std::string& endpoint, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, "the endpoint '" + endpoint + "' " + why);
}

WireAddress wire_address_of(const std::string& endpoint, std::string_view scheme) {
  const std::string text = endpoint.substr(scheme.size());
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    refuse_endpoint(endpoint, std::string("has no host and port: write ").append(scheme) + "127.0.0.1:8001");
  }
  WireAddress address{text.substr(0, colon), text.substr(colon + 1)};
  const bool digits = !address.port.empty() && address.port.size() <= 5 &&
                      address.port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(address.port) > 65535) {
    refuse_endpoint(endpoint, "has a port that is none: 0 to 65535");
  }
  return address;
}

void check_may_listen(const std::string& endpoint, const WireAddress& address, const WireAccess& access) {
  if (is_loopback(address.host) || access.tls || !access.token.empty() || access.insecure) return;
  refuse_endpoint(endpoint,
                  "can be reached from other machines: that takes tls, a token, or insecure; loopback does not");
}

}  // namespace remotemedia::detail
