// SPDX-License-Identifier: Apache-2.0
//
// Control messages between a client and a worker: bytes in, structs out, and back. One message is one packet of a
// platform::DescriptorChannel.
//
//     channel.send(write_message(CancelMessage{.request = 7}), {}, deadline);
//
//     std::visit(handlers, read_client_message(packet.bytes));          // in the worker
//     std::visit(handlers, read_worker_message(packet.bytes));          // in the client
//
// The bytes of each message, and what may be expected of a peer: docs/protocol.md.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/channel/call_messages.h"
#include "remotemedia/channel/protocol_version.h"
#include "remotemedia/channel/session_messages.h"
#include "remotemedia/channel/status_messages.h"

namespace remotemedia::detail {

inline constexpr std::uint32_t kChannelMagic = 0x4843'4D52;  // "RMCH"
inline constexpr std::size_t kMessageHeaderBytes = 24;

/// Begins every message of every version.
struct MessageHeader {
  ProtocolVersion version;    ///< Of the sender.
  std::uint16_t kind = 0;     ///< A MessageKind.
  std::uint64_t request = 0;  ///< Chosen by the client, repeated in what answers it; 0 where there is none.

  bool operator==(const MessageHeader&) const = default;
};

using ClientMessage =
    std::variant<HelloMessage, MappedMessage, CallMessage, ChunkMessage, CancelMessage, AnswersReadMessage,
                 CloseSessionMessage, AskStatusMessage, AskHealthMessage, AskSegmentMessage>;

using WorkerMessage = std::variant<WelcomeMessage, RefusedMessage, AnswerMessage, ChunkMessage, FailureMessage,
                                   StatusMessage, HealthMessage, SegmentsMessage, DrainingMessage>;

/// Errors:  protocol_error if these bytes begin no message of any version.
REMOTEMEDIA_API MessageHeader read_message_header(std::span<const std::byte> bytes);

/// Read one whole message of the other side. `bytes` are a private copy.
///
/// Errors:    protocol_error that names message and field, what was expected and what was found: another major version
///            (but for hello and refused), a kind that the other side does not send, missing or additional bytes,
///            values out of bounds.
/// Lifetime:  the bytes of tensors are views of `bytes`.
/// Cost:      memory for at most some hundred times as many bytes as the message has, never by what it says.
REMOTEMEDIA_API ClientMessage read_client_message(std::span<const std::byte> bytes);
REMOTEMEDIA_API WorkerMessage read_worker_message(std::span<const std::byte> bytes);

using AnyMessage =
    std::variant<const HelloMessage*, const MappedMessage*, const CallMessage*, const ChunkMessage*,
                 const CancelMessage*, const AnswersReadMessage*, const CloseSessionMessage*, const AskStatusMessage*,
                 const AskHealthMessage*, const AskSegmentMessage*, const WelcomeMessage*, const RefusedMessage*,
                 const AnswerMessage*, const FailureMessage*, const StatusMessage*, const HealthMessage*,
                 const SegmentsMessage*, const DrainingMessage*>;

REMOTEMEDIA_API std::vector<std::byte> write_any_message(const AnyMessage& message);

/// The bytes of `message`, in this version.
///
/// Errors:  invalid_argument for what a reader would refuse, and for more than platform::kMaxMessageBytes.
template <class M>
std::vector<std::byte> write_message(const M& message) {
  return write_any_message(AnyMessage(&message));
}

}  // namespace remotemedia::detail
