// SPDX-License-Identifier: Apache-2.0
//
// Whether bytes are text.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace remotemedia::detail {

/// UTF-8 as Unicode has it: the shortest form, no surrogates, nothing above U+10FFFF. Every character passes, U+0000
/// included.
bool is_utf8(std::string_view bytes) noexcept;

/// What of `bytes` can be sent as text: U+FFFD for each byte that is no part of any, and cut before the first character
/// that would end beyond `most_bytes`.
std::string sendable_text(std::string_view bytes, std::size_t most_bytes);

}  // namespace remotemedia::detail
