// SPDX-License-Identifier: Apache-2.0
//
// What importers and brokers say to each other, byte for byte, and what makes a message a lie. Fields are in the
// machine's byte order, for both sides are on it. docs/memory.md, "Exports", has the conversation.
//
//     importer                         broker
//     open {number, secret, access} →
//                                    ← opened {hold, where the block lies} note     or refused {reason}
//     map {hold}                    →                                               if it has not mapped that segment:
//                                    ← mapped {hold} and one handle                 over a connection of its own
//     release {hold}                →                                               no answer

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia {

inline constexpr std::uint32_t kExportMagic = 0x5058'4D52;  // "RMXP"
inline constexpr std::uint16_t kExportVersion = 1;

enum class ExportMessage : std::uint16_t { open = 1, opened = 2, map = 3, mapped = 4, release = 5, refused = 6 };

enum class Refusal : std::uint32_t {
  unknown = 1,         ///< No such export, or another secret: it does not say which.
  not_writable = 2,    ///< To be read only.
  too_many_holds = 3,  ///< This importer has as many as a connection may have.
  other_version = 4,   ///< Of this protocol.
  failed = 5,          ///< The exporter's system refused something; asking again may help.
};

/// Begins every message of every version.
struct ExportMessageHeader {
  std::uint32_t magic = kExportMagic;
  std::uint16_t version = kExportVersion;
  std::uint16_t kind = 0;     ///< An ExportMessage.
  std::uint64_t request = 0;  ///< Chosen by the importer, repeated in the answer; 0 where none is expected.
};

struct OpenRequest {
  static constexpr auto kKind = ExportMessage::open;
  ExportMessageHeader header;
  ExportNumber number{};
  ExportSecret secret{};
  std::uint8_t writable = 0;  ///< 1 asks for writing too.
  std::uint8_t to_map = 0;    ///< 1: this importer has opened it on another connection, and only maps it here.
  std::array<std::uint8_t, 6> reserved{};
};

/// Followed by the note.
struct OpenedAnswer {
  static constexpr auto kKind = ExportMessage::opened;
  ExportMessageHeader header;
  std::uint64_t hold = 0;  ///< What the importer has to release. Never 0.
  Uuid segment{};
  std::uint64_t segment_bytes = 0;
  std::uint64_t offset = 0;  ///< Of the block, from the segment's start.
  std::uint64_t bytes = 0;   ///< Of the block.
  std::uint32_t note_bytes = 0;
  std::uint8_t writable = 0;  ///< As asked for.
  std::array<std::uint8_t, 3> reserved{};
};

struct MapRequest {
  static constexpr auto kKind = ExportMessage::map;
  ExportMessageHeader header;
  std::uint64_t hold = 0;
};

/// Comes with a handle of the hold's segment.
struct MappedAnswer {
  static constexpr auto kKind = ExportMessage::mapped;
  ExportMessageHeader header;
  std::uint64_t hold = 0;
};

struct ReleaseNotice {
  static constexpr auto kKind = ExportMessage::release;
  ExportMessageHeader header;
  std::uint64_t hold = 0;
};

struct RefusedAnswer {
  static constexpr auto kKind = ExportMessage::refused;
  ExportMessageHeader header;
  std::uint32_t reason = 0;  ///< A Refusal.
  std::uint32_t reserved = 0;
};

static_assert(sizeof(ExportMessageHeader) == 16 && offsetof(ExportMessageHeader, version) == 4 &&
              offsetof(ExportMessageHeader, kind) == 6 && offsetof(ExportMessageHeader, request) == 8);
static_assert(sizeof(OpenRequest) == 72 && offsetof(OpenRequest, number) == 16 && offsetof(OpenRequest, secret) == 32 &&
              offsetof(OpenRequest, writable) == 64 && offsetof(OpenRequest, to_map) == 65 &&
              offsetof(OpenRequest, reserved) == 66);
static_assert(sizeof(OpenedAnswer) == 72 && offsetof(OpenedAnswer, hold) == 16 &&
              offsetof(OpenedAnswer, segment) == 24 && offsetof(OpenedAnswer, segment_bytes) == 40 &&
              offsetof(OpenedAnswer, offset) == 48 && offsetof(OpenedAnswer, bytes) == 56 &&
              offsetof(OpenedAnswer, note_bytes) == 64 && offsetof(OpenedAnswer, writable) == 68 &&
              offsetof(OpenedAnswer, reserved) == 69);
static_assert(sizeof(MapRequest) == 24 && offsetof(MapRequest, hold) == 16);
static_assert(sizeof(MappedAnswer) == 24 && offsetof(MappedAnswer, hold) == 16);
static_assert(sizeof(ReleaseNotice) == 24 && offsetof(ReleaseNotice, hold) == 16);
static_assert(sizeof(RefusedAnswer) == 24 && offsetof(RefusedAnswer, reason) == 16 &&
              offsetof(RefusedAnswer, reserved) == 20);

template <class M>
concept ExportMessageBody = std::is_trivially_copyable_v<M> && std::has_unique_object_representations_v<M> &&
    std::is_same_v<const ExportMessage, decltype(M::kKind)>;

/// `message` with the header of its kind.
template <ExportMessageBody M>
M with_header(M message, std::uint64_t request) noexcept {
  message.header = {.kind = static_cast<std::uint16_t>(M::kKind), .request = request};
  return message;
}

template <ExportMessageBody M>
std::span<const std::byte> bytes_of(const M& message) noexcept {
  return std::as_bytes(std::span(&message, 1));
}

/// Errors:  protocol_error if these bytes begin no message of any version.
ExportMessageHeader read_message_header(std::span<const std::byte> bytes);

/// Read a message of this version.
///
/// Errors:  protocol_error that names the field, what was expected and what was found: another version or kind, another
///          size, reserved bytes that are not 0, values out of bounds.
OpenRequest read_open_request(std::span<const std::byte> bytes);
MapRequest read_map_request(std::span<const std::byte> bytes);
ReleaseNotice read_release_notice(std::span<const std::byte> bytes);
MappedAnswer read_mapped_answer(std::span<const std::byte> bytes);
Refusal read_refused_answer(std::span<const std::byte> bytes);

struct Opened {
  OpenedAnswer answer;
  std::vector<std::byte> note;
};

/// Likewise. What it returns describes a block that lies, header aside, in a segment of `segment_bytes`; that the
/// segment has so many is for the importer to see.
Opened read_opened_answer(std::span<const std::byte> bytes);

}  // namespace remotemedia
