// SPDX-License-Identifier: Apache-2.0
//
// RawMessage: writes what docs/protocol.md says, and anything else. It shares nothing with the writer that it is
// compared with.

#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"

namespace remotemedia::detail {

using Bytes = std::vector<std::byte>;

class RawMessage {
 public:
  RawMessage& number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  RawMessage& u8(std::uint64_t value) { return number(value, 1); }
  RawMessage& u16(std::uint64_t value) { return number(value, 2); }
  RawMessage& u32(std::uint64_t value) { return number(value, 4); }
  RawMessage& u64(std::uint64_t value) { return number(value, 8); }
  RawMessage& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 8); }

  RawMessage& letters(std::string_view text) {
    for (const char letter : text) u8(static_cast<unsigned char>(letter));
    return *this;
  }
  RawMessage& text(std::string_view text) { return u32(text.size()).letters(text); }
  RawMessage& repeat(std::size_t times, std::uint8_t byte) {
    bytes_.insert(bytes_.end(), times, std::byte{byte});
    return *this;
  }

  RawMessage& header(MessageKind kind, std::uint64_t request, std::uint16_t major = 2, std::uint16_t minor = 0) {
    return letters("RMCH").u16(major).u16(minor).u16(static_cast<std::uint16_t>(kind)).u16(0).u32(0).u64(request);
  }

  const Bytes& as_it_is() const { return bytes_; }

  /// With its true size where the header has it.
  Bytes whole() const {
    Bytes bytes = bytes_;
    for (std::size_t i = 0; i < 4 && bytes.size() >= 16; ++i) {
      bytes[12 + i] = static_cast<std::byte>(bytes.size() >> (8 * i));
    }
    return bytes;
  }

 private:
  Bytes bytes_;
};

inline Bytes with_true_size(const Bytes& message) {
  RawMessage raw;
  for (const std::byte byte : message) raw.u8(static_cast<std::uint8_t>(byte));
  return raw.whole();
}

/// What a reader says about `bytes`; nothing if it accepts them.
template <class Read>
std::optional<std::string> refusal(Read&& read, const Bytes& bytes) {
  try {
    (void)read(bytes);
    return std::nullopt;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::protocol_error) << error.what();
    return error.what();
  }
}

inline std::optional<std::string> worker_refuses(const RawMessage& message) {
  return refusal(read_client_message, message.whole());
}
inline std::optional<std::string> client_refuses(const RawMessage& message) {
  return refusal(read_worker_message, message.whole());
}

}  // namespace remotemedia::detail
