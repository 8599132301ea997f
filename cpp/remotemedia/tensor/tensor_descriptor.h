// SPDX-License-Identifier: Apache-2.0
//
// TensorDescriptor: the record of 256 bytes that says where in a segment a tensor lies. It goes from one process to
// another through a ring (memory/record_ring.h); the elements stay where they are.
//
//     TensorDescriptor descriptor = descriptor_of(tensor.layout());          // one side; then segment, slot, request
//     writer.push(encode(descriptor));
//
//     const TensorDescriptor received = decode(record);                      // the other; `record` is a private copy
//     if (const DescriptorCheck check = validate(received, limits); !check) refuse(to_string(check.fault));
//
// Nothing in a descriptor is true until validate() has said so, and it may only be asked about a private copy: in
// shared memory the writer could change it afterwards.
//
// Byte layout, version 1, little-endian; what is not named is 0:
//
//      0 u16 version        16 u64 request_id       48 u64 data_offset       80 u64 fence_id
//      2 u8  kind           24 u32 tensor_count     56 u64 nbytes            88     reserved
//      3 u8  ndim           28 u32 segment          64 i16 device_type      128 i64 shape[8]
//      4 u8  dtype_code     32 u32 generation       66 i16 device_id        192 i64 strides[8]
//      5 u8  dtype_bits     36 u32 model_handle     68 u32 reserved
//      6 u16 lanes          40 u64 slot_offset      72 u64 deadline_ns
//      8 u32 flags
//     12 u32 tensor_ordinal

#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "remotemedia/base/export.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/tensor/tensor_layout.h"

namespace remotemedia {

class TensorBuffer;

inline constexpr std::uint16_t kDescriptorVersion = 1;

/// Axes that a descriptor has room for. Tensors of more travel as rows of bytes.
inline constexpr std::size_t kDescriptorRank = 8;

/// What a record is about. 0 is none, so that memory nobody has written to says nothing.
enum class DescriptorKind : std::uint8_t {
  submit = 1,    ///< An input of a request.
  result = 2,    ///< An output of an answer.
  release = 3,   ///< Its slot is not read any more.
  error = 4,     ///< The request has failed; the rest comes as a message.
  cancel = 5,    ///< Nobody waits for the request any more.
  exported = 6,  ///< A tensor that is opened by id.
};

struct TensorDescriptor {
  std::uint16_t version = kDescriptorVersion;
  std::uint8_t kind = 0;  ///< A DescriptorKind.
  std::uint8_t ndim = 0;
  std::uint8_t dtype_code = 0;  ///< DLPack's.
  std::uint8_t dtype_bits = 0;
  std::uint16_t lanes = 1;
  std::uint32_t flags = 0;
  std::uint32_t tensor_ordinal = 0;  ///< Which of the tensors of the request, from 0.
  std::uint64_t request_id = 0;
  std::uint32_t tensor_count = 1;  ///< Of the request.
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;  ///< Of the segment.
  std::uint32_t model_handle = 0;
  std::uint64_t slot_offset = 0;  ///< From the segment's start.
  std::uint64_t data_offset = 0;  ///< Of element 0, from slot_offset.
  std::uint64_t nbytes = 0;       ///< From slot_offset: what the tensor may touch.
  std::int16_t device_type = 1;
  std::int16_t device_id = 0;
  std::uint32_t reserved = 0;
  std::uint64_t deadline_ns = 0;
  std::uint64_t fence_id = 0;
  std::array<std::uint8_t, 40> reserved_bytes{};
  std::array<std::int64_t, kDescriptorRank> shape{};
  std::array<std::int64_t, kDescriptorRank> strides{};  ///< In elements.
};

static_assert(std::endian::native == std::endian::little, "descriptors are little-endian");
static_assert(sizeof(TensorDescriptor) == kRecordBytes && std::is_trivially_copyable_v<TensorDescriptor> &&
              std::has_unique_object_representations_v<TensorDescriptor>);
static_assert(offsetof(TensorDescriptor, version) == 0 && offsetof(TensorDescriptor, kind) == 2 &&
              offsetof(TensorDescriptor, ndim) == 3 && offsetof(TensorDescriptor, dtype_code) == 4 &&
              offsetof(TensorDescriptor, dtype_bits) == 5 && offsetof(TensorDescriptor, lanes) == 6 &&
              offsetof(TensorDescriptor, flags) == 8 && offsetof(TensorDescriptor, tensor_ordinal) == 12 &&
              offsetof(TensorDescriptor, request_id) == 16 && offsetof(TensorDescriptor, tensor_count) == 24 &&
              offsetof(TensorDescriptor, segment) == 28 && offsetof(TensorDescriptor, generation) == 32 &&
              offsetof(TensorDescriptor, model_handle) == 36 && offsetof(TensorDescriptor, slot_offset) == 40 &&
              offsetof(TensorDescriptor, data_offset) == 48 && offsetof(TensorDescriptor, nbytes) == 56 &&
              offsetof(TensorDescriptor, device_type) == 64 && offsetof(TensorDescriptor, device_id) == 66 &&
              offsetof(TensorDescriptor, reserved) == 68 && offsetof(TensorDescriptor, deadline_ns) == 72 &&
              offsetof(TensorDescriptor, fence_id) == 80 && offsetof(TensorDescriptor, reserved_bytes) == 88 &&
              offsetof(TensorDescriptor, shape) == 128 && offsetof(TensorDescriptor, strides) == 192);

inline Record encode(const TensorDescriptor& descriptor) noexcept { return std::bit_cast<Record>(descriptor); }

inline TensorDescriptor decode(const Record& record) noexcept { return std::bit_cast<TensorDescriptor>(record.bytes); }

/// A segment of the session, as the receiver knows it.
struct DescriptorSegment {
  std::uint64_t bytes = 0;  ///< Header included.
  std::uint32_t generation = 0;
};

/// What the receiver permits.
struct DescriptorLimits {
  std::span<const DescriptorSegment> segments;
  std::uint32_t max_tensor_count = 64;
  std::uint32_t known_flags = 0;

  /// Bytes of all elements, repeated ones (stride 0) counted each time: what a dense copy would take.
  std::uint64_t max_dense_bytes = std::numeric_limits<std::int64_t>::max();
};

/// Why a descriptor is refused.
enum class DescriptorFault : std::uint8_t {
  none,
  version,
  kind,
  flags,
  reserved,
  device,
  dtype,
  lanes,
  tensor_count,
  tensor_ordinal,
  segment,
  generation,
  slot_alignment,
  slot_in_header,
  slot_beyond_segment,
  data_beyond_slot,
  data_alignment,
  rank,
  unused_axis,
  negative_extent,
  too_many_elements,
  strides_too_large,
  elements_beyond_slot,
};

/// A sentence about what was wrong, without a number from the descriptor or an address: safe to log and to send back.
REMOTEMEDIA_API std::string_view to_string(DescriptorFault fault) noexcept;

struct DescriptorCheck {
  DescriptorFault fault = DescriptorFault::none;
  DataType dtype = DataType::uint8;  ///< Without a fault: of the elements.
  std::uint64_t dense_bytes = 0;     ///< And what a dense copy of them takes.

  explicit operator bool() const noexcept { return fault == DescriptorFault::none; }
};

/// Whether `descriptor` names a tensor every byte of which lies within its slot, the slot within its segment and behind
/// the segment's header; for the kinds that carry one (submit, result, exported).
///
/// Cost:  some tens of nanoseconds; no memory, no exception.
REMOTEMEDIA_API DescriptorCheck validate(const TensorDescriptor& descriptor, const DescriptorLimits& limits) noexcept;

/// Whether a descriptor has room for `layout`: for its axes, and an element type of one size.
inline bool fits_descriptor(const TensorLayout& layout) noexcept {
  return layout.shape.size() <= kDescriptorRank && layout.dtype != DataType::bytes;
}

/// A descriptor with type, extents and strides of `layout`; the rest is the caller's.
///
/// Errors:  invalid_tensor unless fits_descriptor(), and as checked().
REMOTEMEDIA_API TensorDescriptor descriptor_of(const TensorLayout& layout);
REMOTEMEDIA_API TensorDescriptor descriptor_of(const TensorBuffer& tensor);

/// The layout in a descriptor that validate() has accepted.
REMOTEMEDIA_API TensorLayout layout_of(const TensorDescriptor& descriptor, DataType dtype);

}  // namespace remotemedia
