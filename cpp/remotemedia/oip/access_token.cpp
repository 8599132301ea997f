// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/access_token.h"

#include <cstddef>

namespace remotemedia::detail {
namespace {

bool equal_in_constant_time(std::string_view wanted, std::string_view given) noexcept {
  unsigned different = wanted.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    different |= static_cast<unsigned>(given[i] ^ wanted[i % wanted.size()]);
  }
  return different == 0;
}

}  // namespace

bool is_authorized(std::string_view token, std::string_view authorization) noexcept {
  if (token.empty()) return true;
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme)) return false;
  return equal_in_constant_time(token, authorization.substr(kScheme.size()));
}

}  // namespace remotemedia::detail
