// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/record_ring.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

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
  constexpr std::size_t kMostRecords = std::size_t{1} << 30;
  if (depth == 0 || (depth & (depth - 1)) != 0 || depth > kMostRecords) {
    throw Error(ErrorCode::invalid_argument,
                "a ring's depth must be a power of two up to 2^30, not " + std::to_string(depth));
  }
  check_part(writer_part, writer_part_bytes(depth), "writer's");
  check_part(reader_part, kReaderPartBytes, "reader's");
}

/// The words that most records have: of one tensor, in a segment's first generation, on the processor, without gaps.
constexpr std::array<std::uint64_t, kWords> kUsual = [] {
  std::array<std::uint64_t, kWords> usual{};
  usual[3] = usual[4] = usual[8] = usual[24] = 1;
  return usual;
}();

/// Calls `each` with the numbers below `count`, known to the compiler.
template <std::size_t count, class Each>
void each_of(Each each) {
  [&]<std::size_t... i>(std::index_sequence<i...>) { (each.template operator()<i>(), ...); }
  (std::make_index_sequence<count>());
}

/// The upper half of a slot's first word once the record of that place in the ring lies there; never 0. The lower half
/// has a bit for each word that is not the usual one, and those follow.
constexpr std::uint64_t mark_of(std::uint64_t place) noexcept { return place << 33 | std::uint64_t{1} << 32; }
constexpr std::uint64_t mark_in(std::uint64_t first_word) noexcept { return first_word & ~std::uint64_t{0xFFFF'FFFF}; }
static_assert(kWords == 32);

}  // namespace

RecordWriter::RecordWriter(std::span<std::byte> writer_part, std::span<const std::byte> reader_part,
                           std::size_t depth) {
  check_parts(writer_part, reader_part, depth);
  slots_ = writer_part.data();
  popped_count_ = reinterpret_cast<const std::uint64_t*>(reader_part.data());
  mask_ = depth - 1;
  pushed_ = popped_seen_ = load(popped_count_, std::memory_order_acquire);
}

bool RecordWriter::push(const Record& record) {
  if (pushed_ - popped_seen_ > mask_) {
    const std::uint64_t popped = load(popped_count_, std::memory_order_acquire);
    if (popped - popped_seen_ > pushed_ - popped_seen_) {
      throw Error(ErrorCode::protocol_error, "the ring's reader claims to have read " + std::to_string(popped) +
                                                 " records of " + std::to_string(pushed_) + ", and had read " +
                                                 std::to_string(popped_seen_));
    }
    popped_seen_ = popped;
    if (pushed_ - popped > mask_) return false;
  }
  auto* const slot = reinterpret_cast<std::uint64_t*>(slots_ + (pushed_ & mask_) * kRecordSlotBytes);
  std::uint64_t first = mark_of(pushed_);
  std::uint64_t* next = slot + 1;
  const auto word_at = [&record](std::size_t i) {
    std::uint64_t word = 0;
    std::memcpy(&word, record.bytes.data() + i * sizeof word, sizeof word);
    return word;
  };
  each_of<kWords / 4>([&]<std::size_t group>() {  // most of whose words are usual
    constexpr std::size_t kBegin = 4 * group;
    const std::uint64_t unusual = (word_at(kBegin) ^ kUsual[kBegin]) | (word_at(kBegin + 1) ^ kUsual[kBegin + 1]) |
                                  (word_at(kBegin + 2) ^ kUsual[kBegin + 2]) |
                                  (word_at(kBegin + 3) ^ kUsual[kBegin + 3]);
    if (unusual == 0) return;
    each_of<4>([&]<std::size_t place>() {
      const std::uint64_t word = word_at(kBegin + place);
      if (word == kUsual[kBegin + place]) return;
      first |= std::uint64_t{1} << (kBegin + place);
      store(next++, word, std::memory_order_relaxed);
    });
  });
  store(slot, first, std::memory_order_release);
  ++pushed_;
  return true;
}

RecordReader::RecordReader(std::span<const std::byte> writer_part, std::span<std::byte> reader_part,
                           std::size_t depth) {
  check_parts(writer_part, reader_part, depth);
  slots_ = writer_part.data();
  popped_count_ = reinterpret_cast<std::uint64_t*>(reader_part.data());
  mask_ = depth - 1;
  popped_ = load(popped_count_, std::memory_order_relaxed);
}

const std::uint64_t* RecordReader::next_slot() const noexcept {
  return reinterpret_cast<const std::uint64_t*>(slots_ + (popped_ & mask_) * kRecordSlotBytes);
}

bool RecordReader::pop(Record& record) {
  const std::uint64_t* next = next_slot();
  const std::uint64_t first = load(next, std::memory_order_acquire);
  if (mark_in(first) != mark_of(popped_)) {
    if (is_of_the_last_round(first)) return false;
    throw Error(ErrorCode::protocol_error, "the ring's writer wrote a record to the place of record " +
                                               std::to_string(popped_) + " that does not belong there");
  }
  std::memcpy(record.bytes.data(), kUsual.data(), kRecordBytes);
  for (auto left = static_cast<std::uint32_t>(first); left != 0; left &= left - 1) {
    const std::uint64_t word = load(++next, std::memory_order_relaxed);
    const auto place = static_cast<std::size_t>(std::countr_zero(left));
    std::memcpy(record.bytes.data() + place * sizeof word, &word, sizeof word);
  }
  store(popped_count_, ++popped_, std::memory_order_release);
  return true;
}

bool RecordReader::ready() const noexcept {
  return !is_of_the_last_round(load(next_slot(), std::memory_order_acquire));
}

/// Or of none at all.
bool RecordReader::is_of_the_last_round(std::uint64_t first_word) const noexcept {
  return mark_in(first_word) == mark_of(popped_ - mask_ - 1) || mark_in(first_word) == 0;
}

}  // namespace remotemedia
