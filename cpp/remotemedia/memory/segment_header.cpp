// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/segment_header.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "remotemedia/base/error.h"

namespace remotemedia {
namespace {

constexpr std::array<char, 4> kMagic{'R', 'M', 'S', 'G'};
constexpr std::uint16_t kMajor = 1;
constexpr std::uint16_t kMinor = 0;
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::uint32_t kKnownFeatures = 0;

// As it lies in memory. What is not named is zero, and counted by the checksum.
struct Layout {
  std::array<char, 4> magic;
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t header_bytes;
  std::uint32_t byte_order;
  std::uint64_t segment_bytes;
  Uuid uuid;
  std::uint32_t required_features;
  std::uint32_t optional_features;
  std::array<std::byte, 4044> reserved;
  std::uint32_t crc32c;
};
static_assert(sizeof(Layout) == kSegmentHeaderBytes);
static_assert(offsetof(Layout, segment_bytes) == 16 && offsetof(Layout, uuid) == 24);
static_assert(offsetof(Layout, required_features) == 40 && offsetof(Layout, crc32c) == 4092);

// CRC-32C (Castagnoli), reflected, a byte at a time: a header is checked once for each mapping.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<std::uint32_t>(byte)) & 0xFFU];
  return ~crc;
}

std::uint32_t checksum_of(const Layout& layout) noexcept {
  return crc32c(std::as_bytes(std::span(&layout, 1)).first(offsetof(Layout, crc32c)));
}

std::string hex(std::uint32_t number) {
  std::array<char, 11> text{};
  (void)std::snprintf(text.data(), text.size(), "0x%08X", static_cast<unsigned>(number));
  return text.data();
}

[[noreturn]] void refuse(std::string_view field, const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::protocol_error,
              "shared memory segment refused: " + std::string(field) + " should be " + expected + " and is " + found);
}

template <class T>
void expect(std::string_view field, T expected, T found) {
  if (found != expected) refuse(field, std::to_string(expected), std::to_string(found));
}

}  // namespace

void write_segment_header(std::span<std::byte, kSegmentHeaderBytes> to, const SegmentHeader& header) noexcept {
  Layout layout{};
  layout.magic = kMagic;
  layout.major = kMajor;
  layout.minor = kMinor;
  layout.header_bytes = kSegmentHeaderBytes;
  layout.byte_order = kByteOrder;
  layout.segment_bytes = header.segment_bytes;
  layout.uuid = header.uuid;
  layout.required_features = header.required_features;
  layout.optional_features = header.optional_features;
  layout.crc32c = checksum_of(layout);
  std::memcpy(to.data(), &layout, sizeof layout);
}

SegmentHeader read_segment_header(std::span<const std::byte> segment) {
  if (segment.size() < kSegmentHeaderBytes) {
    refuse("size", "at least " + std::to_string(kSegmentHeaderBytes), std::to_string(segment.size()));
  }
  Layout layout;
  std::memcpy(&layout, segment.data(), sizeof layout);  // the one look at memory that another process may write to

  if (layout.magic != kMagic) refuse("magic", "RMSG", "something else");
  if (layout.byte_order != kByteOrder) refuse("byte order", hex(kByteOrder), hex(layout.byte_order));
  expect<unsigned>("major version", kMajor, layout.major);
  expect<std::size_t>("header size", kSegmentHeaderBytes, layout.header_bytes);
  if (const std::uint32_t crc = checksum_of(layout); crc != layout.crc32c) {
    refuse("checksum", hex(crc), hex(layout.crc32c));
  }
  expect<std::uint64_t>("segment size", segment.size(), layout.segment_bytes);
  if (const std::uint32_t unknown = layout.required_features & ~kKnownFeatures; unknown != 0) {
    refuse("required features", "among " + hex(kKnownFeatures), hex(layout.required_features));
  }
  return {layout.segment_bytes, layout.uuid, layout.required_features, layout.optional_features};
}

}  // namespace remotemedia
