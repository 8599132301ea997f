// SPDX-License-Identifier: Apache-2.0
//
// Parameters: what a caller gives beside tensors, by name.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>

namespace remotemedia {

using Parameter = std::variant<bool, std::int64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter, std::less<>>;

}  // namespace remotemedia
