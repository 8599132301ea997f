// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/byte_writer.h"

#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/utf8.h"

namespace remotemedia::detail {

void ByteWriter::append(std::span<const std::byte> bytes) {
  written_.insert(written_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::real(std::string_view /*field*/, const double& value) { append(std::as_bytes(std::span(&value, 1))); }

void ByteWriter::flag(std::string_view field, const bool& value) {
  number(field, static_cast<std::uint8_t>(value ? 1 : 0));
}

void ByteWriter::count(std::string_view field, const std::size_t& value, std::size_t least, std::size_t most) {
  require_within(field, value, least, most);
  number(field, static_cast<std::uint32_t>(value));
}

void ByteWriter::text(std::string_view field, std::string_view value, std::size_t least, std::size_t most) {
  count(field, value.size(), least, most);
  require(is_utf8(value), field, "UTF-8", "not");
  append(std::as_bytes(std::span(value)));
}

void ByteWriter::free_text(std::string_view field, std::string_view value) {
  text(field, sendable_text(value, kMaxTextBytes), 0, kMaxTextBytes);
}

void ByteWriter::raw(std::string_view /*field*/, std::span<const std::byte> value) { append(value); }

void ByteWriter::bytes(std::string_view field, std::span<const std::byte> value, std::size_t size) {
  require(value.size() == size, field, std::to_string(size) + " bytes", std::to_string(value.size()));
  append(value);
}

}  // namespace remotemedia::detail
