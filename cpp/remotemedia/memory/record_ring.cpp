// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/record_ring.h"

#include <cstring>
#include <string>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

constexpr std::size_t kLine = 64;
constexpr std::size_t kWords = kRecordBytes / sizeof(std::uint64_t);

// The other process may write to any word at any time, hence an atomic access for each. A load needs no writable page.
std::uint64_t load(const std::uint64_t* word, std::memory_order order) noexcept {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(*word))
      .load(order);  // NOLINT: C++20 has no const one
}

void store(std::uint64_t* word, std::uint64_t value, std::memory_order order) noexcept {
  std::atomic_ref<std::uint64_t>(*word).store(value, order);
}

void check_part(std::span<const std::byte> part, std::size_t needed, const char* whose) {
  if (part.size() < needed || reinterpret_cast<std::uintptr_t>(part.data()) % kLine != 0) {
    throw Error(ErrorCode::invalid_argument, std::string("a ring's ") + whose + " part must have " +
                                                 std::to_string(needed) + " bytes, aligned to 64; this one has " +
                                                 std::to_string(part.size()));
  }
}

void check_parts(std::span<const std::byte> writer_part, std::span<const std::byte> reader_part, std::size_t depth) {
  constexpr std::size_t kMostRecords = std::size_t{1} << 32;
  if (depth == 0 || (depth & (depth - 1)) != 0 || depth > kMostRecords) {
    throw Error(ErrorCode::invalid_argument,
                "a ring's depth must be a power of two up to 2^32, not " + std::to_string(depth));
  }
  check_part(writer_part, writer_part_bytes(depth), "writer's");
  check_part(reader_part, kReaderPartBytes, "reader's");
}

[[noreturn]] void throw_impossible(const char* who, std::uint64_t claimed, std::uint64_t other, std::uint64_t depth) {
  throw Error(ErrorCode::protocol_error, std::string("the ring's ") + who + " claims to be at record " +
                                             std::to_string(claimed) + " while the other side is at " +
                                             std::to_string(other) + " and " + std::to_string(depth) + " fit");
}

}  // namespace

RecordWriter::RecordWriter(std::span<std::byte> writer_part, std::span<const std::byte> reader_part,
                           std::size_t depth) {
  check_parts(writer_part, reader_part, depth);
  records_ = writer_part.data() + kLine;
  pushed_count_ = reinterpret_cast<std::uint64_t*>(writer_part.data());
  popped_count_ = reinterpret_cast<const std::uint64_t*>(reader_part.data());
  mask_ = depth - 1;
  pushed_ = load(pushed_count_, std::memory_order_relaxed);
  popped_seen_ = load(popped_count_, std::memory_order_acquire);
  if (pushed_ - popped_seen_ > depth) throw_impossible("reader", popped_seen_, pushed_, depth);
}

bool RecordWriter::push(const Record& record) {
  if (pushed_ - popped_seen_ > mask_) {
    const std::uint64_t popped = load(popped_count_, std::memory_order_acquire);
    if (popped - popped_seen_ > pushed_ - popped_seen_) throw_impossible("reader", popped, pushed_, mask_ + 1);
    popped_seen_ = popped;
    if (pushed_ - popped > mask_) return false;
  }
  std::array<std::uint64_t, kWords> words;
  std::memcpy(words.data(), record.bytes.data(), kRecordBytes);
  auto* const slot = reinterpret_cast<std::uint64_t*>(records_ + (pushed_ & mask_) * kRecordBytes);
  for (std::size_t i = 0; i < kWords; ++i) store(slot + i, words[i], std::memory_order_relaxed);
  store(pushed_count_, ++pushed_, std::memory_order_release);
  return true;
}

RecordReader::RecordReader(std::span<const std::byte> writer_part, std::span<std::byte> reader_part,
                           std::size_t depth) {
  check_parts(writer_part, reader_part, depth);
  records_ = writer_part.data() + kLine;
  pushed_count_ = reinterpret_cast<const std::uint64_t*>(writer_part.data());
  popped_count_ = reinterpret_cast<std::uint64_t*>(reader_part.data());
  mask_ = depth - 1;
  popped_ = load(popped_count_, std::memory_order_relaxed);
  pushed_seen_ = popped_;
}

bool RecordReader::pop(Record& record) {
  if (pushed_seen_ == popped_) {
    const std::uint64_t pushed = load(pushed_count_, std::memory_order_acquire);
    if (pushed - popped_ > mask_ + 1) throw_impossible("writer", pushed, popped_, mask_ + 1);
    pushed_seen_ = pushed;
    if (pushed == popped_) return false;
  }
  std::array<std::uint64_t, kWords> words;
  const auto* const slot = reinterpret_cast<const std::uint64_t*>(records_ + (popped_ & mask_) * kRecordBytes);
  for (std::size_t i = 0; i < kWords; ++i) words[i] = load(slot + i, std::memory_order_relaxed);
  std::memcpy(record.bytes.data(), words.data(), kRecordBytes);
  store(popped_count_, ++popped_, std::memory_order_release);
  return true;
}

bool RecordReader::ready() const noexcept {
  return pushed_seen_ != popped_ || load(pushed_count_, std::memory_order_acquire) != popped_;
}

}  // namespace remotemedia
