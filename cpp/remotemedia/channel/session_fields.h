// SPDX-License-Identifier: Apache-2.0
//
// The fields of session_messages.h, in their order.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "remotemedia/channel/message_codes.h"
#include "remotemedia/channel/message_fields.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/session_messages.h"
#include "remotemedia/channel/signature_fields.h"

namespace remotemedia::detail {

inline constexpr Codes<SegmentRole, 4> kSegmentRoleCodes{{{
    {SegmentRole::client_control, 1},
    {SegmentRole::worker_control, 2},
    {SegmentRole::inputs, 3},
    {SegmentRole::outputs, 4},
}}};

/// Below kMaxSegments and each above the one before it.
template <class Io, class Number>
void segment_number(Io& io, Number& number, const std::uint32_t*& before) {
  io.number("number", number, std::uint32_t{0}, kMaxSegments - 1);
  io.require(before == nullptr || number > *before, "number", "above the one before it", std::to_string(number));
  before = &number;
}

template <class Io, class Segments>
void segment_numbers(Io& io, Segments& segments) {
  const std::uint32_t* before = nullptr;
  io.list("segments", "segment", segments, 1, kMaxSegmentsOfMessage,
          [&](auto& number) { segment_number(io, number, before); });
}

template <class Io, class Segments>
void segment_grants(Io& io, Segments& segments, std::size_t least, std::size_t most) {
  const std::uint32_t* before = nullptr;
  io.list("segments", "segment", segments, least, most, [&](auto& segment) {
    io.code("role", segment.role, kSegmentRoleCodes);
    segment_number(io, segment.number, before);
    io.number("generation", segment.generation);
    io.number("bytes", segment.bytes, std::uint64_t{kSegmentHeaderBytes + 1}, kMaxCounted);
    io.raw("uuid", segment.uuid);
  });
}

inline std::size_t count_of(const std::vector<SegmentGrant>& segments, SegmentRole role) {
  return static_cast<std::size_t>(std::ranges::count(segments, role, &SegmentGrant::role));
}

template <class Io, class Versions>
void versions(Io& io, Versions& versions) {
  std::uint16_t before = 0;
  io.list("versions", "version", versions, 1, kMaxVersions, [&](auto& version) {
    io.number("major", version.major);
    io.number("minor", version.minor);
    io.require(version.major > before, "major", "above the one before it", std::to_string(version.major));
    before = version.major;
  });
}

template <class Io>
void ring_depth(Io& io, std::uint32_t depth) {
  io.require(depth == 0 || (std::has_single_bit(depth) && depth <= kMaxRingDepth), "ring_depth",
             "0 or a power of two up to " + std::to_string(kMaxRingDepth), std::to_string(depth));
}

template <class Io, AnyConst<HelloMessage> M>
void fields(Io& io, M& message) {
  versions(io, message.versions);
  io.raw("client", message.client);
  io.require(message.client != ClientId{}, "client", "drawn", "all zeros");
  io.flag("shared_memory", message.shared_memory);
  io.number("ring_depth", message.ring_depth);
  ring_depth(io, message.ring_depth);
  io.require(message.shared_memory || message.ring_depth == 0, "ring_depth", "0 without shared memory",
             std::to_string(message.ring_depth));
}

template <class Io, AnyConst<WelcomeMessage> M>
void fields(Io& io, M& message) {
  io.number("version", message.version.major, kProtocolVersion.major, kProtocolVersion.major);
  io.number("version", message.version.minor, std::uint16_t{0}, kProtocolVersion.minor);
  io.text("worker_id", message.worker_id, 0, kMaxNameBytes);
  io.text("model_id", message.model_id, 0, kMaxNameBytes);
  io.text("device", message.device, 0, kMaxNameBytes);
  signature_fields(io, message.signature);
  io.number("max_batch_size", message.max_batch_size, std::int64_t{0});
  io.number("unanswered_calls", message.limits.unanswered_calls, std::uint32_t{1});
  io.number("inline_bytes", message.limits.inline_bytes, std::uint32_t{0}, std::uint32_t{kMaxInlineBytes});
  io.number("ring_depth", message.limits.ring_depth);
  ring_depth(io, message.limits.ring_depth);
  io.number("stream_window", message.limits.stream_window, std::uint32_t{1});
  segment_grants(io, message.segments, 0, kMaxSegmentsOfWelcome);
  const std::size_t controls = message.limits.ring_depth > 0 ? 1 : 0;
  for (const SegmentRole role : {SegmentRole::client_control, SegmentRole::worker_control}) {
    const std::size_t found = count_of(message.segments, role);
    io.require(found == controls, "segments", std::to_string(controls) + " of each control", std::to_string(found));
  }
  io.require(controls > 0 || message.segments.empty(), "segments", "0 without rings",
             std::to_string(message.segments.size()));
}

template <class Io, AnyConst<RefusedMessage> M>
void fields(Io& io, M& message) {
  versions(io, message.versions);
  io.code("code", message.code, kErrorCodes);
  io.free_text("text", message.text);
}

template <class Io, AnyConst<SegmentsMessage> M>
void fields(Io& io, M& message) {
  segment_grants(io, message.segments, 1, kMaxSegmentsOfMessage);
  for (const SegmentRole role : {SegmentRole::client_control, SegmentRole::worker_control}) {
    const std::size_t found = count_of(message.segments, role);
    io.require(found == 0, "segments", "0 of each control", std::to_string(found));
  }
}

template <class Io, AnyConst<MappedMessage> M>
void fields(Io& io, M& message) {
  segment_numbers(io, message.segments);
}

template <class Io, AnyConst<AskSegmentMessage> M>
void fields(Io& io, M& message) {
  io.number("bytes", message.bytes, std::uint64_t{1}, kMaxCounted);
}

template <class Io, AnyConst<DrainingMessage> M>
void fields(Io& /*io*/, M& /*message*/) {}

}  // namespace remotemedia::detail
