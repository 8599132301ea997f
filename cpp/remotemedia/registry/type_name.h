// SPDX-License-Identifier: Apache-2.0
//
// Types as their authors write them, for error messages.

#pragma once

#include <string>
#include <string_view>
#include <typeinfo>

namespace remotemedia::detail {

std::string type_name(const std::type_info& type);

std::string type_mismatch_message(std::string_view key, const std::type_info& found, const std::type_info& asked);

}  // namespace remotemedia::detail
