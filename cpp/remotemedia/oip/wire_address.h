// SPDX-License-Identifier: Apache-2.0
//
// WireAddress: the host and port of an endpoint that other machines may reach.

#pragma once

#include <string>
#include <string_view>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/wire_access.h"

namespace remotemedia::detail {

struct WireAddress {
  std::string host;  ///< Of IPv6 in brackets.
  std::string port;

  std::string text() const { return host + ":" + port; }
};

[[noreturn]] REMOTEMEDIA_API void refuse_endpoint(const std::string& endpoint, const std::string& why);

/// What stands behind `scheme`.
///
/// Errors:  invalid_argument, which shows how it is written.
REMOTEMEDIA_API WireAddress wire_address_of(const std::string& endpoint, std::string_view scheme);

/// Errors:  invalid_argument where other machines reach it and nothing is asked of them.
REMOTEMEDIA_API void check_may_listen(const std::string& endpoint, const WireAddress& address,
                                      const WireAccess& access);

}  // namespace remotemedia::detail
