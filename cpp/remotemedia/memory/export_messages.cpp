// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_messages.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"

namespace remotemedia {
namespace {

[[noreturn]] void refuse(std::string_view field, const std::string& expected, std::uint64_t found) {
  throw Error(ErrorCode::protocol_error, "message about an export: " + std::string(field) + " must be " + expected +
                                             " and is " + std::to_string(found));
}

template <ExportMessageBody M>
M read_fixed_part(std::span<const std::byte> bytes) {
  const ExportMessageHeader header = read_message_header(bytes);
  if (header.version != kExportVersion) refuse("version", std::to_string(kExportVersion), header.version);
  const auto kind = static_cast<std::uint16_t>(M::kKind);
  if (header.kind != kind) refuse("kind", std::to_string(kind), header.kind);
  if (bytes.size() < sizeof(M)) refuse("size", "at least " + std::to_string(sizeof(M)), bytes.size());
  M message;
  std::memcpy(&message, bytes.data(), sizeof(M));
  return message;
}

template <ExportMessageBody M>
M read_whole(std::span<const std::byte> bytes) {
  const M message = read_fixed_part<M>(bytes);
  if (bytes.size() != sizeof(M)) refuse("size", std::to_string(sizeof(M)), bytes.size());
  return message;
}

template <class Bytes>
void check_reserved(const Bytes& reserved) {
  for (const std::uint8_t byte : reserved) {
    if (byte != 0) refuse("reserved", "0", byte);
  }
}

void check_flag(std::string_view field, std::uint8_t flag) {
  if (flag > 1) refuse(field, "0 or 1", flag);
}

void check_request(const ExportMessageHeader& header, bool expected) {
  if ((header.request != 0) != expected) refuse("request", expected ? "a number above 0" : "0", header.request);
}

void check_hold(std::uint64_t hold) {
  if (hold == 0) refuse("hold", "a number above 0", hold);
}

}  // namespace

ExportMessageHeader read_message_header(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ExportMessageHeader)) {
    refuse("size", "at least " + std::to_string(sizeof(ExportMessageHeader)), bytes.size());
  }
  ExportMessageHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kExportMagic) refuse("magic", std::to_string(kExportMagic), header.magic);
  return header;
}

OpenRequest read_open_request(std::span<const std::byte> bytes) {
  const auto request = read_whole<OpenRequest>(bytes);
  check_request(request.header, true);
  check_flag("writable", request.writable);
  check_flag("to_map", request.to_map);
  check_reserved(request.reserved);
  return request;
}

MapRequest read_map_request(std::span<const std::byte> bytes) {
  const auto request = read_whole<MapRequest>(bytes);
  check_request(request.header, true);
  check_hold(request.hold);
  return request;
}

ReleaseNotice read_release_notice(std::span<const std::byte> bytes) {
  const auto notice = read_whole<ReleaseNotice>(bytes);
  check_request(notice.header, false);
  check_hold(notice.hold);
  return notice;
}

MappedAnswer read_mapped_answer(std::span<const std::byte> bytes) {
  const auto answer = read_whole<MappedAnswer>(bytes);
  check_hold(answer.hold);
  return answer;
}

Refusal read_refused_answer(std::span<const std::byte> bytes) {
  const auto answer = read_whole<RefusedAnswer>(bytes);
  constexpr auto kFirst = static_cast<std::uint32_t>(Refusal::unknown);
  constexpr auto kLast = static_cast<std::uint32_t>(Refusal::failed);
  if (answer.reason < kFirst || answer.reason > kLast) {
    refuse("reason", std::to_string(kFirst) + " to " + std::to_string(kLast), answer.reason);
  }
  if (answer.reserved != 0) refuse("reserved", "0", answer.reserved);
  return static_cast<Refusal>(answer.reason);
}

Opened read_opened_answer(std::span<const std::byte> bytes) {
  const auto answer = read_fixed_part<OpenedAnswer>(bytes);
  const std::span<const std::byte> note = bytes.subspan(sizeof(answer));
  check_hold(answer.hold);
  check_flag("writable", answer.writable);
  check_reserved(answer.reserved);
  if (answer.note_bytes != note.size()) refuse("note_bytes", std::to_string(note.size()), answer.note_bytes);
  if (note.size() > kMaxNoteBytes) refuse("note_bytes", "at most " + std::to_string(kMaxNoteBytes), note.size());

  constexpr std::uint64_t kMostBytes = std::numeric_limits<std::ptrdiff_t>::max();
  if (answer.segment_bytes < kSegmentHeaderBytes || answer.segment_bytes > kMostBytes) {
    refuse("segment_bytes", std::to_string(kSegmentHeaderBytes) + " to " + std::to_string(kMostBytes),
           answer.segment_bytes);
  }
  if (answer.offset < kSegmentHeaderBytes || answer.offset > answer.segment_bytes) {
    refuse("offset", std::to_string(kSegmentHeaderBytes) + " to " + std::to_string(answer.segment_bytes),
           answer.offset);
  }
  if (answer.offset % kBlockAlignment != 0) {
    refuse("offset", "a multiple of " + std::to_string(kBlockAlignment), answer.offset);
  }
  const std::uint64_t room = answer.segment_bytes - answer.offset;
  if (answer.bytes > room) refuse("bytes", "at most " + std::to_string(room), answer.bytes);
  return {answer, {note.begin(), note.end()}};
}

}  // namespace remotemedia
