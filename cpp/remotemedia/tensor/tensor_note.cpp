// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_note.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia {
namespace {

Error refusal(std::string_view why) {
  return {ErrorCode::protocol_error, "the exporter describes no tensor within its memory: " + std::string(why)};
}

std::span<const std::byte> bytes_of(const Dims& dims) { return std::as_bytes(std::span(dims.data(), dims.size())); }

}  // namespace

std::vector<std::byte> encode_note(const TensorPlace& place, std::size_t block_bytes) {
  const TensorLayout& layout = place.layout;
  const bool fits = layout.shape.size() <= kDescriptorRank;
  TensorDescriptor descriptor = descriptor_of(fits ? layout : TensorLayout{layout.dtype, {}, {}});
  descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::exported);
  descriptor.ndim = static_cast<std::uint8_t>(layout.shape.size());
  descriptor.slot_offset = kSegmentHeaderBytes;
  descriptor.data_offset = place.offset;
  descriptor.nbytes = block_bytes;
  const Record record = encode(descriptor);
  std::vector<std::byte> note(record.bytes.begin(), record.bytes.end());
  if (!fits) {
    for (const Dims& dims : {layout.shape, layout.strides}) {
      note.insert(note.end(), bytes_of(dims).begin(), bytes_of(dims).end());
    }
  }
  return note;
}

TensorPlace decode_note(std::span<const std::byte> note, std::size_t block_bytes) {
  Record record;
  if (note.size() < record.bytes.size()) throw refusal("the note is too short");
  std::memcpy(record.bytes.data(), note.data(), record.bytes.size());
  TensorDescriptor descriptor = decode(record);

  const std::span<const std::byte> behind = note.subspan(record.bytes.size());
  const std::size_t rank = descriptor.ndim;
  const bool fits = rank <= kDescriptorRank;
  if (rank > kMaxRank) throw refusal(to_string(DescriptorFault::rank));
  if (behind.size() != (fits ? 0 : 2 * rank * sizeof(std::int64_t))) throw refusal("the note has another length");
  if (!fits) {
    if (descriptor.shape[0] != 0 || descriptor.strides[0] != 0) throw refusal(to_string(DescriptorFault::unused_axis));
    descriptor.ndim = 1;  // of extent 0: all else is checked as it is, the axes below
  }

  const std::array segments{DescriptorSegment{.bytes = kSegmentHeaderBytes + block_bytes, .generation = 0}};
  const DescriptorCheck check = validate(descriptor, {.segments = segments, .max_tensor_count = 1});
  if (!check) throw refusal(to_string(check.fault));
  if (fits) return {layout_of(descriptor, check.dtype), descriptor.data_offset};

  std::array<std::int64_t, 2 * kMaxRank> axes{};
  std::memcpy(axes.data(), behind.data(), behind.size());
  const auto shape = std::span<const std::int64_t>(axes).first(rank);
  const auto strides = std::span<const std::int64_t>(axes).subspan(rank, rank);
  const LayoutSize size = measure(shape, strides, itemsize(check.dtype));
  if (size.fault != LayoutFault::none) throw refusal(to_string(size.fault));
  if (!lies_within(size, descriptor.data_offset, block_bytes)) {
    throw refusal(to_string(DescriptorFault::elements_beyond_slot));
  }
  return {{check.dtype, Dims(shape), Dims(strides)}, descriptor.data_offset};
}

}  // namespace remotemedia
