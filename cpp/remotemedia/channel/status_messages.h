// SPDX-License-Identifier: Apache-2.0
//
// What anybody may ask a worker at any time, however busy it is.
//
//     client                                worker
//     ask_status                        →
//                                        ← status
//     ask_health                        →
//                                        ← health
//
// The bytes of each message: docs/protocol.md.

#pragma once

#include <cstdint>
#include <string>

#include "remotemedia/channel/message_kind.h"
#include "remotemedia/worker/worker_info.h"

namespace remotemedia::detail {

struct AskStatusMessage {
  static constexpr auto kKind = MessageKind::ask_status;

  std::uint64_t request = 0;

  bool operator==(const AskStatusMessage&) const = default;
};

struct StatusMessage {
  static constexpr auto kKind = MessageKind::status;

  std::uint64_t request = 0;
  WorkerInfo info;
};

struct AskHealthMessage {
  static constexpr auto kKind = MessageKind::ask_health;

  std::uint64_t request = 0;

  bool operator==(const AskHealthMessage&) const = default;
};

struct HealthMessage {
  static constexpr auto kKind = MessageKind::health;

  std::uint64_t request = 0;
  bool healthy = true;
  std::string reason;  ///< Why it is not; empty when it is.

  bool operator==(const HealthMessage&) const = default;
};

}  // namespace remotemedia::detail
