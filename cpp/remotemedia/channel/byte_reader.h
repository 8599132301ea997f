// SPDX-License-Identifier: Apache-2.0
//
// ByteReader: takes the fields of a message from bytes that somebody else wrote. Numbers are little-endian and stand
// one behind the other, without gaps.
//
// Everything here throws protocol_error where bytes are missing or a value is not within its bounds, before anything is
// allocated for it.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_fields.h"

namespace remotemedia::detail {

static_assert(std::endian::native == std::endian::little, "messages are little-endian");

/// Lifetime:  what bytes() gives is a view of the bytes that are read.
class ByteReader final : public MessageFields {
 public:
  static constexpr bool kReads = true;

  /// `message`: its name, for refusals.
  ByteReader(std::span<const std::byte> bytes, std::string_view message) noexcept
      : MessageFields(ErrorCode::protocol_error, message), rest_(bytes) {}

  template <WireInteger T>
  void number(std::string_view field, T& value, T least = std::numeric_limits<T>::min(),
              T most = std::numeric_limits<T>::max()) {
    std::memcpy(&value, take(field, sizeof(T)).data(), sizeof(T));
    require_within(field, value, least, most);
  }

  /// Any double, to the bit.
  void real(std::string_view field, double& value);

  /// One byte, 0 or 1.
  void flag(std::string_view field, bool& value);

  /// How many of something follow, each of at least one byte: a u32.
  void count(std::string_view field, std::size_t& value, std::size_t least, std::size_t most);

  /// A count and as many bytes of UTF-8.
  void text(std::string_view field, std::string& value, std::size_t least, std::size_t most);

  /// A text that a writer cuts where it is longer than kMaxTextBytes.
  void free_text(std::string_view field, std::string& value);

  /// As many bytes as `value` has.
  void raw(std::string_view field, std::span<std::byte> value);

  /// The next `size` bytes.
  void bytes(std::string_view field, std::span<const std::byte>& value, std::size_t size);

  /// A u16 that stands for a value.
  template <class E, std::size_t N>
  void code(std::string_view field, E& value, const Codes<E, N>& codes) {
    std::uint16_t code = 0;
    number(field, code);
    const std::optional<E> found = codes.value_of(code);
    if (!found) refuse(field, "a number that has a meaning", std::to_string(code));
    value = *found;
  }

  /// A count and as many items.
  template <class T, class Fields>
  void list(std::string_view field, std::string_view item_kind, std::vector<T>& values, std::size_t least,
            std::size_t most, Fields&& fields) {
    std::size_t size = 0;
    count(field, size, least, most);
    values.clear();
    values.reserve(size);
    for (std::size_t i = 0; i < size; ++i) item(item_kind, i, [&] { fields(values.emplace_back()); });
  }

  std::size_t unread() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> take(std::string_view field, std::size_t size);

  std::span<const std::byte> rest_;
};

}  // namespace remotemedia::detail
