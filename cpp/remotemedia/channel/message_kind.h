// SPDX-License-Identifier: Apache-2.0
//
// MessageKind: what a message is, by number. Those of one direction only mean nothing in the other.

#pragma once

#include <cstdint>
#include <string_view>

namespace remotemedia::detail {

enum class MessageKind : std::uint16_t {
  // A client's.
  hello = 1,
  mapped = 2,
  call = 3,
  cancel = 4,
  answers_read = 5,
  close_session = 6,
  ask_status = 7,
  ask_health = 8,
  ask_segment = 9,

  // Of both.
  chunk = 64,

  // A worker's.
  welcome = 128,
  refused = 129,
  answer = 130,
  failure = 131,
  status = 132,
  health = 133,
  segments = 134,
  draining = 135,
};

/// "close_session".
constexpr std::string_view to_string(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::hello:
      return "hello";
    case MessageKind::mapped:
      return "mapped";
    case MessageKind::call:
      return "call";
    case MessageKind::cancel:
      return "cancel";
    case MessageKind::answers_read:
      return "answers_read";
    case MessageKind::close_session:
      return "close_session";
    case MessageKind::ask_status:
      return "ask_status";
    case MessageKind::ask_health:
      return "ask_health";
    case MessageKind::ask_segment:
      return "ask_segment";
    case MessageKind::chunk:
      return "chunk";
    case MessageKind::welcome:
      return "welcome";
    case MessageKind::refused:
      return "refused";
    case MessageKind::answer:
      return "answer";
    case MessageKind::failure:
      return "failure";
    case MessageKind::status:
      return "status";
    case MessageKind::health:
      return "health";
    case MessageKind::segments:
      return "segments";
    case MessageKind::draining:
      return "draining";
  }
  return "unknown";
}

}  // namespace remotemedia::detail
