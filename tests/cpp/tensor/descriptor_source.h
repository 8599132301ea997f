// SPDX-License-Identifier: Apache-2.0
//
// Descriptors for tests: sound ones, and sound ones in which a few fields say something else, mostly at the edge of
// what is permitted.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "remotemedia/tensor/tensor_descriptor.h"
#include "testing/random_source.h"

namespace remotemedia::testing {

struct DescriptorCase {
  TensorDescriptor descriptor;
  std::array<DescriptorSegment, 3> segments;
  std::uint32_t max_tensor_count = 8;
  std::uint32_t known_flags = 0;
  std::uint64_t max_dense_bytes = INT64_MAX;

  DescriptorLimits limits() const {
    return {.segments = segments,
            .max_tensor_count = max_tensor_count,
            .known_flags = known_flags,
            .max_dense_bytes = max_dense_bytes};
  }
};

/// A sound one: a strided view within a slot.
inline DescriptorCase any_sound_descriptor(RandomSource& random) {
  DescriptorCase made;
  for (DescriptorSegment& segment : made.segments) {
    segment = {.bytes = 4096 + 256 * random.below(64), .generation = static_cast<std::uint32_t>(random.below(3))};
  }
  TensorDescriptor& d = made.descriptor;
  const DataTypeInfo& dtype = kDataTypes[random.below(kDataTypes.size() - 1)];
  constexpr std::array<std::uint8_t, 3> kKinds{1, 2, 6};
  d.kind = kKinds[random.below(3)];
  d.dtype_code = dtype.dlpack_code;
  d.dtype_bits = dtype.dlpack_bits;
  d.request_id = random.bits();
  d.tensor_count = 1 + static_cast<std::uint32_t>(random.below(8));
  d.tensor_ordinal = static_cast<std::uint32_t>(random.below(d.tensor_count));
  d.segment = static_cast<std::uint32_t>(random.below(3));
  d.generation = made.segments[d.segment].generation;
  d.model_handle = static_cast<std::uint32_t>(random.bits());
  d.deadline_ns = random.bits();
  d.slot_offset = 4096 + 256 * random.below((made.segments[d.segment].bytes - 4096) / 256 + 1);

  // Extents first, then row-major strides that are stretched, reversed, set to 0 and exchanged.
  const std::size_t rank = random.below(9);
  d.ndim = static_cast<std::uint8_t>(rank);
  std::int64_t stride = 1;
  for (std::size_t axis = rank; axis-- > 0;) {
    d.shape[axis] = random.between(random.once_in(12) ? 0 : 1, 3);
    if (random.once_in(6)) stride *= 2;
    d.strides[axis] = random.once_in(8) ? 0 : random.once_in(5) ? -stride : stride;
    stride *= std::max<std::int64_t>(d.shape[axis], 1);
  }
  if (rank > 1) {
    const std::size_t other = random.below(rank);
    std::swap(d.shape[0], d.shape[other]);
    std::swap(d.strides[0], d.strides[other]);
  }
  const LayoutSize size = measure(std::span(d.shape).first(rank), std::span(d.strides).first(rank), dtype.itemsize);
  d.data_offset = static_cast<std::uint64_t>(-size.begin) + dtype.itemsize * (random.once_in(2) ? 0 : random.below(9));
  d.nbytes = d.data_offset + static_cast<std::uint64_t>(size.end) + (random.once_in(2) ? 0 : random.below(99));
  const std::uint64_t room = made.segments[d.segment].bytes - d.slot_offset;
  if (d.nbytes > room) made.segments[d.segment].bytes += d.nbytes - room;
  return made;
}

/// Makes one field say something else.
inline void change_a_field(RandomSource& random, DescriptorCase& changed) {
  TensorDescriptor& d = changed.descriptor;
  const std::uint64_t segment_bytes = changed.segments[d.segment % 3].bytes;
  const std::size_t axis = random.below(8);
  const auto near = [&](std::uint64_t value) { return value + random.below(5) - 2; };
  const auto edge = [&] { return static_cast<std::uint64_t>(random.edge()); };
  switch (random.below(24)) {
    case 0:
      d.version = static_cast<std::uint16_t>(random.below(3));
      break;
    case 1:
      d.kind = static_cast<std::uint8_t>(random.below(9));
      break;
    case 2:
      d.ndim = static_cast<std::uint8_t>(random.once_in(3) ? random.bits() : random.below(11));
      break;
    case 3:
      d.dtype_code = static_cast<std::uint8_t>(random.below(20));
      break;
    case 4:
      d.dtype_bits = static_cast<std::uint8_t>(random.once_in(2) ? random.bits() : 8U << random.below(5));
      break;
    case 5:
      d.lanes = static_cast<std::uint16_t>(random.below(3));
      break;
    case 6:
      d.flags = static_cast<std::uint32_t>(random.below(4));
      changed.known_flags = static_cast<std::uint32_t>(random.below(4));
      break;
    case 7:
      d.tensor_ordinal = static_cast<std::uint32_t>(near(d.tensor_count));
      break;
    case 8:
      d.tensor_count = static_cast<std::uint32_t>(near(changed.max_tensor_count));
      break;
    case 9:
      d.segment = static_cast<std::uint32_t>(near(3));
      break;
    case 10:
      d.generation = static_cast<std::uint32_t>(near(d.generation));
      break;
    case 11:
      d.slot_offset = random.once_in(2) ? near(d.slot_offset) : 256 * random.below(24);
      break;
    case 12:
      d.slot_offset = random.once_in(2) ? edge() : edge() & ~std::uint64_t{255};
      break;
    case 13:
      d.slot_offset = (segment_bytes + 256 * random.below(3) - 256) & ~std::uint64_t{255};
      break;
    case 14:
      d.data_offset = random.once_in(2) ? near(d.nbytes) : near(d.data_offset);
      break;
    case 15:
      d.data_offset = edge();
      break;
    case 16:
      d.nbytes = random.once_in(2) ? near(segment_bytes - d.slot_offset) : near(d.nbytes);
      break;
    case 17:
      d.nbytes = edge();
      break;
    case 18:
      d.device_type = static_cast<std::int16_t>(random.below(3));
      d.device_id = static_cast<std::int16_t>(random.below(2));
      break;
    case 19:
      if (random.once_in(2)) {
        d.reserved = static_cast<std::uint32_t>(random.below(2));
      } else {
        d.reserved_bytes[random.below(d.reserved_bytes.size())] = static_cast<std::uint8_t>(random.below(2));
      }
      break;
    case 20:
      d.shape[axis] = random.once_in(2) ? random.edge() : random.between(-1, 9);
      break;
    case 21:
      d.strides[axis] = random.once_in(2) ? random.edge() : random.between(-99, 99);
      break;
    case 22:
      d.shape[axis] = random.between(0, 1) << random.below(60);
      d.strides[axis] = 0;
      break;
    default:
      changed.max_dense_bytes = random.below(500);
      break;
  }
}

inline DescriptorCase any_descriptor(RandomSource& random) {
  DescriptorCase made = any_sound_descriptor(random);
  for (std::uint64_t changes = random.below(4); changes > 0; --changes) change_a_field(random, made);
  return made;
}

}  // namespace remotemedia::testing
