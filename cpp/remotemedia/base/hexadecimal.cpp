// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/hexadecimal.h"

namespace remotemedia {

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kHexadecimalDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kHexadecimalDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

}  // namespace remotemedia
