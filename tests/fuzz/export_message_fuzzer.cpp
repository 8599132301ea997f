// SPDX-License-Identifier: Apache-2.0
//
// What importers and brokers say to each other, and ids of exports: any bytes are read as what they are or refused with
// the code that is theirs, and what was read lies within its bounds.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/segment_header.h"

using namespace remotemedia;

namespace {

template <class Read>
void read_or_refuse(ErrorCode code, Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    testing::require(error.code() == code, "it is refused with its code");
  }
}

void read_opened(std::span<const std::byte> bytes) {
  const Opened opened = read_opened_answer(bytes);
  const OpenedAnswer& answer = opened.answer;
  testing::require(answer.hold != 0, "there is a hold");
  testing::require(answer.offset >= kSegmentHeaderBytes && answer.offset <= answer.segment_bytes &&
                       answer.bytes <= answer.segment_bytes - answer.offset,
                   "the block lies in the segment, behind its header");
  testing::require(opened.note.size() == answer.note_bytes && opened.note.size() <= kMaxNoteBytes, "the note is whole");
}

/// What differs from the id of zeros.
void read_id(testing::FuzzedBytes& input) {
  std::string text = to_text(ExportId{});
  for (char& digit : text) digit = static_cast<char>(digit ^ input.take<char>());
  for (const std::byte byte : input.rest()) text += static_cast<char>(byte);
  testing::require(to_text(read_export_id(text)) == text, "an id is read to the letter");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  const auto kind = static_cast<ExportMessage>(1 + input.take<std::uint8_t>() % 7);
  const auto rest = input.rest();
  switch (kind) {
    case ExportMessage::open:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_open_request(rest); });
      break;
    case ExportMessage::opened:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_opened(rest); });
      break;
    case ExportMessage::map:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_map_request(rest); });
      break;
    case ExportMessage::mapped:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_mapped_answer(rest); });
      break;
    case ExportMessage::release:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_release_notice(rest); });
      break;
    case ExportMessage::refused:
      read_or_refuse(ErrorCode::protocol_error, [&] { read_refused_answer(rest); });
      break;
    default:
      read_or_refuse(ErrorCode::shared_memory_unavailable, [&] { read_id(input); });
  }
  return 0;
}
