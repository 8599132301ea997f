// SPDX-License-Identifier: Apache-2.0
//
// What gRPC calls a method of a service.

#pragma once

#include <string>
#include <string_view>

namespace remotemedia::detail {

inline std::string method_path(std::string_view service, std::string_view method) {
  return std::string("/").append(service).append("/").append(method);
}

}  // namespace remotemedia::detail
