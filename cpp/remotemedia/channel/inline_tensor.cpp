// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/inline_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/memory/segment_header.h"

namespace remotemedia::detail {
namespace {

using Bytes = std::array<std::byte, kInlineBytes>;

[[noreturn]] void refuse(std::string_view why) {
  throw Error(ErrorCode::protocol_error,
              "the other side of the session is refused: of a tensor in its record " + std::string(why));
}

/// Those of a row-major tensor. What multiplies to too much is refused by its extents, whatever its strides are.
void set_dense_strides(TensorDescriptor& descriptor) noexcept {
  std::int64_t stride = 1;
  for (std::size_t axis = std::min<std::size_t>(descriptor.ndim, kDescriptorRank); axis-- > 0;) {
    descriptor.strides[axis] = stride;
    const std::int64_t extent = descriptor.shape[axis];
    if (extent != 0 && __builtin_mul_overflow(stride, extent, &stride)) stride = 0;
  }
}

}  // namespace

bool fits_inline(const TensorBuffer& tensor) noexcept {
  return tensor.nbytes() <= kInlineBytes && fits_descriptor(tensor.layout()) && tensor.is_contiguous();
}

TensorDescriptor describe_inline(const TensorBuffer& tensor) {
  TensorDescriptor descriptor = descriptor_of(tensor);
  const std::size_t nbytes = tensor.nbytes();
  descriptor.nbytes = nbytes;
  Bytes bytes{};
  std::memcpy(bytes.data(), tensor.data(), nbytes);
  descriptor.strides = std::bit_cast<decltype(descriptor.strides)>(bytes);
  return descriptor;
}

TensorBuffer read_inline(TensorDescriptor descriptor, std::uint32_t known_flags) {
  if (descriptor.segment != 0 || descriptor.generation != 0 || descriptor.slot_offset != 0 ||
      descriptor.data_offset != 0) {
    refuse("a segment is named");
  }
  const auto bytes = std::bit_cast<Bytes>(descriptor.strides);
  descriptor.strides = {};
  set_dense_strides(descriptor);
  descriptor.slot_offset = kSegmentHeaderBytes;
  const DescriptorSegment record{kSegmentHeaderBytes + kInlineBytes, 0};
  DescriptorLimits limits;
  limits.segments = {&record, 1};
  limits.max_tensor_count = kMaxTensors;
  limits.known_flags = known_flags;
  const DescriptorCheck check = validate(descriptor, limits);
  if (!check) refuse(to_string(check.fault));
  MemoryBlock block = allocate_heap_block(check.dense_bytes);
  std::memcpy(block.data(), bytes.data(), check.dense_bytes);
  return sound_view(std::move(block), 0, layout_of(descriptor, check.dtype), true);
}

}  // namespace remotemedia::detail
