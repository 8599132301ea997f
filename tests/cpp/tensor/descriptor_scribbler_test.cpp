// SPDX-License-Identifier: Apache-2.0
//
// A writer that changes records after it has published them, while the reader reads them.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <thread>

#include "remotemedia/memory/record_ring.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "testing/random_source.h"
#include "testing/rounds.h"

namespace remotemedia {
namespace {

constexpr std::size_t kDepth = 4;
constexpr std::size_t kWords = kRecordSlotBytes / sizeof(std::uint64_t);
constexpr std::uint64_t kItsPlace = ~std::uint64_t{0} << 32;  // of the first word: where in the ring it belongs

struct alignas(64) Ring {
  std::array<std::byte, writer_part_bytes(kDepth)> records{};
  std::array<std::byte, kReaderPartBytes> replies{};
};

TensorDescriptor sound() {
  TensorDescriptor descriptor = descriptor_of(row_major({8, 16}, DataType::float32));
  descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
  descriptor.generation = 1;
  descriptor.slot_offset = kSegmentHeaderBytes;
  descriptor.nbytes = 1024;
  return descriptor;
}

/// The same with other values, each a lie or another truth.
TensorDescriptor other() {
  TensorDescriptor descriptor = sound();
  descriptor.ndim = 1;
  descriptor.dtype_bits = 64;
  descriptor.segment = 1;
  descriptor.slot_offset = kSegmentHeaderBytes + 1024;
  descriptor.data_offset = 512;
  descriptor.nbytes = 1 << 30;
  descriptor.shape = {1 << 20, 3};
  descriptor.strides = {-16, 1 << 20};
  return descriptor;
}

/// What a writer puts into the first slot.
std::array<std::uint64_t, kWords> slot_of(const TensorDescriptor& descriptor) {
  const auto ring = std::make_unique<Ring>();
  RecordWriter(ring->records, ring->replies, kDepth).push(encode(descriptor));
  std::array<std::uint64_t, kWords> words{};
  std::memcpy(words.data(), ring->records.data(), kRecordSlotBytes);
  return words;
}

TEST(DescriptorScribblerTest, WhatPassedTheCheckIsWhatIsUsed) {
  constexpr std::size_t kSegmentBytes = kSegmentHeaderBytes + 2048;
  const std::array<DescriptorSegment, 2> segments{DescriptorSegment{.bytes = kSegmentBytes, .generation = 1},
                                                  DescriptorSegment{.bytes = kSegmentBytes, .generation = 1}};
  // Of exactly their size, so that AddressSanitizer knows their ends.
  const std::array memory{std::make_unique<std::byte[]>(kSegmentBytes), std::make_unique<std::byte[]>(kSegmentBytes)};

  const auto ring = std::make_unique<Ring>();
  const std::array<std::array<std::uint64_t, kWords>, 2> values{slot_of(sound()), slot_of(other())};
  const std::uint64_t flips = testing::rounds(10'000'000);
  std::atomic<bool> done{false};
  std::atomic<bool> both_seen{false};  // records that pass and records that do not

  std::jthread scribbler([&] {
    RecordWriter writer(ring->records, ring->replies, kDepth);
    auto* const slots = reinterpret_cast<std::uint64_t*>(ring->records.data());
    const Record record = encode(sound());
    testing::RandomSource random;
    for (std::uint64_t flip = 0; flip < flips || !both_seen; ++flip) {
      if (flip % 8 == 0) writer.push(record);
      const std::uint64_t bits = random.bits();
      const std::size_t word = bits % kWords;
      const std::size_t slot = (bits >> 8) % kDepth;
      const std::uint64_t value = values[((bits >> 16) % 3) == 0 ? 1 : 0][word];
      const std::atomic_ref<std::uint64_t> there(slots[slot * kWords + word]);
      there.store(word > 0 ? value : (there.load() & kItsPlace) | (value & ~kItsPlace), std::memory_order_relaxed);
    }
    done = true;
  });

  RecordReader reader(ring->records, ring->replies, kDepth);
  Record record;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  unsigned sum = 0;
  while (true) {
    const bool last = done;
    if (!reader.pop(record)) {
      if (last) break;
      std::this_thread::yield();
      continue;
    }
    const TensorDescriptor descriptor = decode(record);
    const DescriptorCheck check = validate(descriptor, {.segments = segments});
    if (!check) {
      ++refused;
      continue;
    }
    ++accepted;
    if (refused > 0) both_seen = true;
    const TensorLayout layout = layout_of(descriptor, check.dtype);
    const LayoutSize size = checked(layout);
    if (size.elements == 0) continue;
    const std::byte* const element_0 =
        memory[descriptor.segment].get() + descriptor.slot_offset + descriptor.data_offset;
    for (std::int64_t at = size.begin; at < size.end; at += 16) sum += static_cast<unsigned>(element_0[at]);
    sum += static_cast<unsigned>(element_0[size.end - 1]);
  }
  EXPECT_EQ(sum, 0U);
  EXPECT_GT(accepted, 0U);
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace remotemedia
