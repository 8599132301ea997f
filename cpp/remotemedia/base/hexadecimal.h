// SPDX-License-Identifier: Apache-2.0
//
// Bytes as text: two digits of 0-9a-f for each, the high one first.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

inline constexpr std::string_view kHexadecimalDigits = "0123456789abcdef";

REMOTEMEDIA_API std::string hexadecimal(std::span<const std::byte> bytes);

}  // namespace remotemedia
