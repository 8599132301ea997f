// SPDX-License-Identifier: Apache-2.0
//
// ByteWriter: puts the fields of a message one behind the other, as a ByteReader takes them.
//
// Everything here throws invalid_argument where a reader would refuse the value.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_fields.h"

namespace remotemedia::detail {

class ByteWriter final : public MessageFields {
 public:
  static constexpr bool kReads = false;

  /// `message`: its name, for refusals.
  explicit ByteWriter(std::string_view message) noexcept : MessageFields(ErrorCode::invalid_argument, message) {}

  template <WireInteger T>
  void number(std::string_view field, const T& value, T least = std::numeric_limits<T>::min(),
              T most = std::numeric_limits<T>::max()) {
    require_within(field, value, least, most);
    append(std::as_bytes(std::span(&value, 1)));
  }

  void real(std::string_view field, const double& value);
  void flag(std::string_view field, const bool& value);
  void count(std::string_view field, const std::size_t& value, std::size_t least, std::size_t most);
  void text(std::string_view field, std::string_view value, std::size_t least, std::size_t most);

  /// What can be sent of it: bytes that are no text are replaced, what is too long is cut. Never throws because of
  /// `value`, so that every failure can be told.
  void free_text(std::string_view field, std::string_view value);

  void raw(std::string_view field, std::span<const std::byte> value);

  /// `size` is what `value` has.
  void bytes(std::string_view field, std::span<const std::byte> value, std::size_t size);

  template <class E, std::size_t N>
  void code(std::string_view field, const E& value, const Codes<E, N>& codes) {
    const std::optional<std::uint16_t> found = codes.code_of(value);
    if (!found) refuse(field, "a value of its type", std::to_string(static_cast<int>(value)));
    number(field, *found);
  }

  template <class T, class Fields>
  void list(std::string_view field, std::string_view item_kind, const std::vector<T>& values, std::size_t least,
            std::size_t most, Fields&& fields) {
    count(field, values.size(), least, most);
    for (std::size_t i = 0; i < values.size(); ++i) item(item_kind, i, [&] { fields(values[i]); });
  }

  /// All that was written; the writer is empty then.
  std::vector<std::byte> take() noexcept { return std::move(written_); }

 private:
  void append(std::span<const std::byte> bytes);

  std::vector<std::byte> written_;
};

}  // namespace remotemedia::detail
