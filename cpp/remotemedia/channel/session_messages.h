// SPDX-License-Identifier: Apache-2.0
//
// How a session begins, how it gets and gives back memory, how it ends.
//
//     client                                worker
//     hello                             →
//                                        ← welcome, with the handles of segments and doorbells      or refused
//     mapped                            →                                                           if there were any
//     ask_segment                       →
//                                        ← segments, with their handles                             or failure
//     mapped                            →
//                                        ← draining                                                 takes no more calls
//
// The bytes of each message: docs/protocol.md.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/channel/message_kind.h"
#include "remotemedia/channel/protocol_version.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/worker/model_signature.h"

namespace remotemedia::detail {

/// Drawn by the client, and a secret between it and its workers. Never all zeros.
using ClientId = std::array<std::byte, 16>;

/// The first message of a client. It looks the same in every version.
struct HelloMessage {
  static constexpr auto kKind = MessageKind::hello;
  static constexpr bool kOfAnyVersion = true;

  /// Understood by the client: the newest minor of each major version, ascending, its own among them.
  std::vector<ProtocolVersion> versions{kUnderstoodVersions.begin(), kUnderstoodVersions.end()};

  ClientId client{};
  bool shared_memory = true;     ///< Wanted.
  std::uint32_t ring_depth = 0;  ///< Wanted, a power of two; 0: what the worker likes, and without shared memory.

  bool operator==(const HelloMessage&) const = default;
};

enum class SegmentRole : std::uint16_t {
  client_control = 1,  ///< What the client alone writes of the two rings.
  worker_control = 2,  ///< What the worker alone writes of them.
  inputs = 3,          ///< Written by the client.
  outputs = 4,         ///< Written by the worker.
};

/// One handle that comes with the message. What the segment really is, the receiver sees when it has it.
struct SegmentGrant {
  SegmentRole role = SegmentRole::inputs;
  std::uint32_t number = 0;  ///< By which descriptors name it.
  std::uint32_t generation = 0;
  std::uint64_t bytes = 0;  ///< Header included.
  Uuid uuid{};

  bool operator==(const SegmentGrant&) const = default;
};

struct SessionLimits {
  std::uint32_t unanswered_calls = 1;
  std::uint32_t inline_bytes = 0;   ///< Of one tensor; more goes another way.
  std::uint32_t ring_depth = 0;     ///< 0: there are no rings.
  std::uint32_t stream_window = 1;  ///< Unread answers, after which a stream waits.

  bool operator==(const SessionLimits&) const = default;
};

/// What a worker answers to a hello that it accepts. The doorbells' handles follow those of the segments where there
/// are rings: first the one that wakes the worker, then the one that wakes the client.
struct WelcomeMessage {
  static constexpr auto kKind = MessageKind::welcome;

  ProtocolVersion version = kProtocolVersion;  ///< In which the session goes on.
  std::string worker_id;
  std::string model_id;
  std::string device;
  ModelSignature signature;
  std::int64_t max_batch_size = 0;  ///< Rows of one call, the worker's own limit counted; 0: it does not batch.
  SessionLimits limits;

  /// Ascending by number. With rings there is one of each control, without there is none at all.
  std::vector<SegmentGrant> segments;

  std::size_t handles() const noexcept { return segments.size() + (limits.ring_depth > 0 ? 2 : 0); }

  bool operator==(const WelcomeMessage&) const = default;
};

/// The worker closes the session with it, at whatever time. It looks the same in every version.
struct RefusedMessage {
  static constexpr auto kKind = MessageKind::refused;
  static constexpr bool kOfAnyVersion = true;

  /// Understood by the worker, as in HelloMessage.
  std::vector<ProtocolVersion> versions{kUnderstoodVersions.begin(), kUnderstoodVersions.end()};

  ErrorCode code = ErrorCode::rejected;
  std::string text;

  bool operator==(const RefusedMessage&) const = default;
};

/// What to answer to a hello of which choose_version() understands nothing: names the versions of both.
REMOTEMEDIA_API RefusedMessage other_version(const HelloMessage& hello);

/// More memory, asked for (`request` repeats the question's) or not (0). As many handles.
struct SegmentsMessage {
  static constexpr auto kKind = MessageKind::segments;
  static constexpr bool kMayBeUnasked = true;

  std::uint64_t request = 0;

  /// At least one, ascending by number, none of them control.
  std::vector<SegmentGrant> segments;

  std::size_t handles() const noexcept { return segments.size(); }

  bool operator==(const SegmentsMessage&) const = default;
};

/// The client has mapped these, as it may: what the worker gave may now be closed to new writers.
struct MappedMessage {
  static constexpr auto kKind = MessageKind::mapped;

  std::vector<std::uint32_t> segments;  ///< Numbers, ascending, at least one.

  bool operator==(const MappedMessage&) const = default;
};

/// Room for one input that no segment has.
struct AskSegmentMessage {
  static constexpr auto kKind = MessageKind::ask_segment;

  std::uint64_t request = 0;
  std::uint64_t bytes = 0;  ///< At least 1.

  bool operator==(const AskSegmentMessage&) const = default;
};

/// The worker answers what it has accepted, and takes nothing new.
struct DrainingMessage {
  static constexpr auto kKind = MessageKind::draining;

  bool operator==(const DrainingMessage&) const = default;
};

}  // namespace remotemedia::detail
