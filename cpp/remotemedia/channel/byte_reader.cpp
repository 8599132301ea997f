// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/byte_reader.h"

#include <algorithm>

#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/utf8.h"

namespace remotemedia::detail {

std::span<const std::byte> ByteReader::take(std::string_view field, std::size_t size) {
  if (size > rest_.size()) {
    refuse(field, std::to_string(size) + " bytes", "cut after " + std::to_string(rest_.size()));
  }
  const auto taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

void ByteReader::real(std::string_view field, double& value) {
  std::memcpy(&value, take(field, sizeof(value)).data(), sizeof(value));
}

void ByteReader::flag(std::string_view field, bool& value) {
  std::uint8_t byte = 0;
  number<std::uint8_t>(field, byte, 0, 1);
  value = byte == 1;
}

void ByteReader::count(std::string_view field, std::size_t& value, std::size_t least, std::size_t most) {
  std::uint32_t wide = 0;
  number(field, wide);
  value = wide;
  require_within(field, value, least, most);
  require_within(field, value, std::size_t{0}, rest_.size());
}

void ByteReader::text(std::string_view field, std::string& value, std::size_t least, std::size_t most) {
  std::size_t size = 0;
  count(field, size, least, most);
  const auto taken = take(field, size);
  const std::string_view bytes(reinterpret_cast<const char*>(taken.data()), taken.size());
  require(is_utf8(bytes), field, "UTF-8", "not");
  value = bytes;
}

void ByteReader::free_text(std::string_view field, std::string& value) { text(field, value, 0, kMaxTextBytes); }

void ByteReader::raw(std::string_view field, std::span<std::byte> value) {
  std::ranges::copy(take(field, value.size()), value.begin());
}

void ByteReader::bytes(std::string_view field, std::span<const std::byte>& value, std::size_t size) {
  value = take(field, size);
}

}  // namespace remotemedia::detail
