// SPDX-License-Identifier: Apache-2.0
//
// ProtocolVersion: which messages somebody writes and reads. Another major version is another language. A newer minor
// adds fields at the end of messages, which an older reader may leave unread, and says nothing else to an older peer.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::detail {

struct ProtocolVersion {
  std::uint16_t major = 0;
  std::uint16_t minor = 0;

  auto operator<=>(const ProtocolVersion&) const = default;  // NOLINT(modernize-use-nullptr): there is no pointer
};

/// What is written here.
inline constexpr ProtocolVersion kProtocolVersion{2, 0};

/// Of each major version that is understood here, the newest minor; ascending.
inline constexpr std::array kUnderstoodVersions{kProtocolVersion};

/// The newest major version that both lists have, with the older of the two minors.
REMOTEMEDIA_API std::optional<ProtocolVersion> choose_version(std::span<const ProtocolVersion> theirs,
                                                              std::span<const ProtocolVersion> ours) noexcept;

/// "1.0"; "1.4, 2.0".
REMOTEMEDIA_API std::string to_string(ProtocolVersion version);
REMOTEMEDIA_API std::string to_string(std::span<const ProtocolVersion> versions);

}  // namespace remotemedia::detail
