// SPDX-License-Identifier: Apache-2.0
//
// Calls and their answers, where they do not fit into the records of a ring: with parameters, names, a session, more
// axes than a record has, or without shared memory.
//
//     client                                worker
//     call, chunk...                    →
//                                        ← answer, chunk... (as many as a stream has)               or failure
//     answers_read                      →                                                           of a stream
//     cancel                            →                                                           at any time
//     close_session                     →
//
// The bytes of each message: docs/protocol.md.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/channel/message_kind.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/dims.h"
#include "remotemedia/tensor/packed_bytes.h"
#include "remotemedia/tensor/tensor_layout.h"
#include "remotemedia/worker/parameters.h"

namespace remotemedia::detail {

/// Where the bytes of a tensor are: without gaps, row-major, but for what a record says of strides.
enum class BytesIn : std::uint16_t {
  message = 1,  ///< Here.
  record = 2,   ///< Where a record of the ring says, of the same request and with the tensor's place in the list.
  chunks = 3,   ///< In chunks behind this message.
};

/// A tensor of the signature by its place there, or any by name.
using TensorKey = std::variant<std::uint32_t, std::string>;

/// Lifetime:  `bytes` is a view: of the sender's memory, or of the message that was read.
struct MessageTensor {
  TensorKey key;
  DataType dtype = DataType::uint8;
  Dims shape;
  std::uint64_t packed_bytes = 0;  ///< As in TensorLayout.
  BytesIn bytes_in = BytesIn::message;
  std::span<const std::byte> bytes;  ///< With BytesIn::message all of them, otherwise none.

  friend bool operator==(const MessageTensor& a, const MessageTensor& b) {
    return a.key == b.key && a.dtype == b.dtype && a.shape == b.shape && a.packed_bytes == b.packed_bytes &&
           a.bytes_in == b.bytes_in && std::ranges::equal(a.bytes, b.bytes);
  }
};

/// The size of what `tensor` describes, row-major. Of one that was read there is no fault.
REMOTEMEDIA_API LayoutSize dense_size(const MessageTensor& tensor);

REMOTEMEDIA_API TensorLayout layout_of(const MessageTensor& tensor);

struct CallMessage {
  static constexpr auto kKind = MessageKind::call;

  std::uint64_t request = 0;  ///< Above 0, and of no other call of this session that is unanswered.
  std::int32_t priority = 0;
  std::optional<Duration> time_left;  ///< Until the deadline, from 0; none: there is none. To be added with later().
  bool stream = false;
  std::optional<std::string> session_id;
  Parameters parameters;

  /// Numbered ones ascending, or named ones ascending.
  std::vector<MessageTensor> tensors;

  /// As the client has them; whether they make a TraceContext is not looked at here. Empty for none, and in calls that
  /// were written in 1.0.
  std::string traceparent = {};
  std::string tracestate = {};

  bool operator==(const CallMessage&) const = default;
};

/// A piece of a tensor of the call, or the answer, that came last of this request.
struct ChunkMessage {
  static constexpr auto kKind = MessageKind::chunk;

  std::uint64_t request = 0;
  std::uint32_t tensor = 0;  ///< Its place in the list.
  std::uint64_t offset = 0;  ///< Bytes of this tensor that came before.

  /// At least one byte.
  ///
  /// Lifetime:  a view, as in MessageTensor.
  std::span<const std::byte> bytes;

  friend bool operator==(const ChunkMessage& a, const ChunkMessage& b) {
    return a.request == b.request && a.tensor == b.tensor && a.offset == b.offset &&
           std::ranges::equal(a.bytes, b.bytes);
  }
};

/// Nobody waits for the answer any more. A failure comes, or the answer that was on its way.
struct CancelMessage {
  static constexpr auto kKind = MessageKind::cancel;

  std::uint64_t request = 0;

  bool operator==(const CancelMessage&) const = default;
};

/// So many more answers of a stream have been read.
struct AnswersReadMessage {
  static constexpr auto kKind = MessageKind::answers_read;

  std::uint64_t request = 0;
  std::uint32_t count = 0;  ///< At least 1.

  bool operator==(const AnswersReadMessage&) const = default;
};

struct CloseSessionMessage {
  static constexpr auto kKind = MessageKind::close_session;

  std::string session_id;

  bool operator==(const CloseSessionMessage&) const = default;
};

struct AnswerMessage {
  static constexpr auto kKind = MessageKind::answer;

  std::uint64_t request = 0;
  std::uint64_t number = 0;  ///< Which answer to this request, from 0: rings and messages do not wait for each other.
  bool last = true;
  std::vector<MessageTensor> tensors;  ///< As in CallMessage, of the signature's outputs.

  bool operator==(const AnswerMessage&) const = default;
};

/// Ends a request. Of an error its code and text travel, nothing else.
struct FailureMessage {
  static constexpr auto kKind = MessageKind::failure;

  std::uint64_t request = 0;
  ErrorCode code = ErrorCode::inference_failed;
  std::string text;

  bool operator==(const FailureMessage&) const = default;
};

}  // namespace remotemedia::detail
