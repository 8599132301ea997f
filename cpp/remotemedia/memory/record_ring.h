// SPDX-License-Identifier: Apache-2.0
//
// RecordRing: records of 256 bytes from one process to another, in order, without a system call.
//
// The memory of a ring is two parts, each written by one side only: the writer's (the records) and the reader's (how
// many it has read). A writer trusts nothing that it reads of the reader's part, and the other way round.
//
// A record travels as those of its words that are not the usual ones, so that most are one line of the cache, and that
// line says itself that it is there: nothing else goes from one processor to the other.
//
//     RecordWriter writer(records, replies, depth);   // in one process
//     RecordReader reader(records, replies, depth);   // in the other
//     if (!writer.push(record)) …                     // full
//     while (reader.pop(record)) …                    // `record` is a private copy
//
// Byte layout: docs/memory.md, "Rings".

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "remotemedia/base/export.h"

namespace remotemedia {

inline constexpr std::size_t kRecordBytes = 256;

struct Record {
  std::array<std::byte, kRecordBytes> bytes{};
};

/// A record, and before it the word that says where in the ring it belongs and which words it has; whole lines.
inline constexpr std::size_t kRecordSlotBytes = kRecordBytes + 64;

/// Bytes of the writer's part for `depth` records (a power of two, up to 2^30), and of the reader's part.
constexpr std::size_t writer_part_bytes(std::size_t depth) noexcept { return depth * kRecordSlotBytes; }
inline constexpr std::size_t kReaderPartBytes = 64;

/// The one writer. The writer's part is zeros before either side begins; they begin at what the reader's part says.
///
/// Threads:  one.
class REMOTEMEDIA_API RecordWriter {
 public:
  /// Errors:  invalid_argument if `depth` is no power of two, or a part is too small or not aligned to 64 bytes.
  RecordWriter(std::span<std::byte> writer_part, std::span<const std::byte> reader_part, std::size_t depth);

  /// False when the reader has `depth` records to read.
  ///
  /// Errors:  protocol_error if the reader claims to have read what was never written, or less than before.
  bool push(const Record& record);

 private:
  std::byte* slots_;
  const std::uint64_t* popped_count_;
  std::uint64_t mask_;
  std::uint64_t pushed_ = 0;
  std::uint64_t popped_seen_ = 0;
};

/// The one reader.
///
/// Threads:  one.
class REMOTEMEDIA_API RecordReader {
 public:
  /// Errors:  invalid_argument, as RecordWriter.
  RecordReader(std::span<const std::byte> writer_part, std::span<std::byte> reader_part, std::size_t depth);

  /// Copies the next record out, once, so that a writer who changes it afterwards changes nothing; false when there is
  /// none.
  ///
  /// Errors:  protocol_error if the writer wrote one there that does not belong there.
  bool pop(Record& record);

  /// Whether pop() would find something.
  bool ready() const noexcept;

 private:
  const std::uint64_t* next_slot() const noexcept;
  bool is_of_the_last_round(std::uint64_t first_word) const noexcept;

  const std::byte* slots_;
  std::uint64_t* popped_count_;
  std::uint64_t mask_;
  std::uint64_t popped_ = 0;
};

}  // namespace remotemedia
