// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/protocol_version.h"

#include <algorithm>

namespace remotemedia::detail {

std::optional<ProtocolVersion> choose_version(std::span<const ProtocolVersion> theirs,
                                              std::span<const ProtocolVersion> ours) noexcept {
  std::optional<ProtocolVersion> chosen;
  for (const ProtocolVersion& one : ours) {
    for (const ProtocolVersion& other : theirs) {
      if (one.major != other.major) continue;
      const ProtocolVersion both{one.major, std::min(one.minor, other.minor)};
      if (!chosen || both > *chosen) chosen = both;
    }
  }
  return chosen;
}

std::string to_string(ProtocolVersion version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

std::string to_string(std::span<const ProtocolVersion> versions) {
  std::string text;
  for (const ProtocolVersion& version : versions) text += (text.empty() ? "" : ", ") + to_string(version);
  return text;
}

}  // namespace remotemedia::detail
