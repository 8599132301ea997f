// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/utf8.h"

#include <cstdint>

namespace remotemedia::detail {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_within(unsigned char byte, unsigned least, unsigned most) noexcept { return byte >= least && byte <= most; }

// Bytes of the character that `bytes` begins with; 0 if it begins with none. Unicode, table 3-7.
std::size_t character_bytes(std::string_view bytes) noexcept {
  const auto at = [bytes](std::size_t i) { return static_cast<unsigned char>(i < bytes.size() ? bytes[i] : 0); };
  const auto continues = [&at](std::size_t i) { return is_within(at(i), 0x80, 0xBF); };
  const unsigned char first = at(0);
  if (first < 0x80) return bytes.empty() ? 0 : 1;
  if (is_within(first, 0xC2, 0xDF)) return continues(1) ? 2 : 0;
  if (is_within(first, 0xE0, 0xEF)) {
    const bool second = is_within(at(1), first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (is_within(first, 0xF0, 0xF4)) {
    const bool second = is_within(at(1), first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string sendable_text(std::string_view bytes, std::size_t most_bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(bytes);
    const std::string_view character = size == 0 ? kReplacement : bytes.substr(0, size);
    if (character.size() > most_bytes - text.size()) break;
    text += character;
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

}  // namespace remotemedia::detail
