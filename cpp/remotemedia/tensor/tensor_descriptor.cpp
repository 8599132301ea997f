// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_descriptor.h"

#include <algorithm>
#include <optional>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/tensor/device.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {
namespace {

bool carries_a_tensor(std::uint8_t kind) noexcept {
  return kind == static_cast<std::uint8_t>(DescriptorKind::submit) ||
         kind == static_cast<std::uint8_t>(DescriptorKind::result) ||
         kind == static_cast<std::uint8_t>(DescriptorKind::exported);
}

DescriptorFault fault_of_record(const TensorDescriptor& record, const DescriptorLimits& limits) noexcept {
  if (record.version != kDescriptorVersion) return DescriptorFault::version;
  if (!carries_a_tensor(record.kind)) return DescriptorFault::kind;
  if ((record.flags & ~limits.known_flags) != 0) return DescriptorFault::flags;
  if (record.reserved != 0) return DescriptorFault::reserved;
  if (record.reserved_bytes != decltype(record.reserved_bytes){}) return DescriptorFault::reserved;
  if (record.device_type != static_cast<std::int16_t>(DeviceType::cpu) || record.device_id != 0) {
    return DescriptorFault::device;
  }
  if (record.tensor_count > limits.max_tensor_count) return DescriptorFault::tensor_count;
  if (record.tensor_ordinal >= record.tensor_count) return DescriptorFault::tensor_ordinal;
  return DescriptorFault::none;
}

static_assert(std::ranges::all_of(kDataTypes, [](const DataTypeInfo& type) {
  return type.itemsize == 0 || std::has_single_bit(type.itemsize);
}));

DescriptorFault fault_of_slot(const TensorDescriptor& record, const DescriptorLimits& limits,
                              std::size_t item) noexcept {
  if (record.segment >= limits.segments.size()) return DescriptorFault::segment;
  const DescriptorSegment& segment = limits.segments[record.segment];
  if (record.generation != segment.generation) return DescriptorFault::generation;
  if (record.slot_offset % kBlockAlignment != 0) return DescriptorFault::slot_alignment;
  if (record.slot_offset < kSegmentHeaderBytes) return DescriptorFault::slot_in_header;
  if (record.slot_offset > segment.bytes) return DescriptorFault::slot_beyond_segment;
  if (record.nbytes > segment.bytes - record.slot_offset) return DescriptorFault::slot_beyond_segment;
  if (record.data_offset > record.nbytes) return DescriptorFault::data_beyond_slot;
  if ((record.data_offset & (item - 1)) != 0) return DescriptorFault::data_alignment;
  return DescriptorFault::none;
}

DescriptorFault fault_of_axes(const TensorDescriptor& record, const DescriptorLimits& limits, std::size_t item,
                              std::uint64_t& dense_bytes) noexcept {
  if (record.ndim > kDescriptorRank) return DescriptorFault::rank;
  for (std::size_t axis = record.ndim; axis < kDescriptorRank; ++axis) {
    if (record.shape[axis] != 0 || record.strides[axis] != 0) return DescriptorFault::unused_axis;
  }
  const LayoutSize size =
      measure(std::span(record.shape).first(record.ndim), std::span(record.strides).first(record.ndim), item);
  switch (size.fault) {
    case LayoutFault::none:
      break;
    case LayoutFault::negative_extent:
      return DescriptorFault::negative_extent;
    case LayoutFault::too_many_elements:
      return DescriptorFault::too_many_elements;
    case LayoutFault::strides_too_large:
      return DescriptorFault::strides_too_large;
  }
  dense_bytes = static_cast<std::uint64_t>(size.nbytes);
  if (dense_bytes > limits.max_dense_bytes) return DescriptorFault::too_many_elements;
  if (!lies_within(size, record.data_offset, record.nbytes)) return DescriptorFault::elements_beyond_slot;
  return DescriptorFault::none;
}

TensorDescriptor descriptor_of_sound(const TensorLayout& layout) {
  if (!fits_descriptor(layout)) {
    throw Error(ErrorCode::invalid_tensor, "a " + std::string(to_string(layout.dtype)) + " tensor of " +
                                               std::to_string(layout.shape.size()) +
                                               " axes in a descriptor, which has room for " +
                                               std::to_string(kDescriptorRank) + " and elements of one size");
  }
  TensorDescriptor descriptor;
  descriptor.ndim = static_cast<std::uint8_t>(layout.shape.size());
  descriptor.dtype_code = info_of(layout.dtype).dlpack_code;
  descriptor.dtype_bits = info_of(layout.dtype).dlpack_bits;
  std::ranges::copy(layout.shape, descriptor.shape.begin());
  std::ranges::copy(layout.strides, descriptor.strides.begin());
  return descriptor;
}

}  // namespace

std::string_view to_string(DescriptorFault fault) noexcept {
  switch (fault) {
    case DescriptorFault::none:
      return "sound";
    case DescriptorFault::version:
      return "the descriptor's version is another";
    case DescriptorFault::kind:
      return "the descriptor's kind carries no tensor";
    case DescriptorFault::flags:
      return "a flag is not known";
    case DescriptorFault::reserved:
      return "a reserved field is not 0";
    case DescriptorFault::device:
      return "the device is not the processor";
    case DescriptorFault::dtype:
      return "the data type is not known";
    case DescriptorFault::lanes:
      return "the number of lanes is not 1";
    case DescriptorFault::tensor_count:
      return "the request has too many tensors";
    case DescriptorFault::tensor_ordinal:
      return "the tensor's number is not below the number of tensors";
    case DescriptorFault::segment:
      return "the session has no such segment";
    case DescriptorFault::generation:
      return "the segment's generation is not the current one";
    case DescriptorFault::slot_alignment:
      return "the slot does not begin at a multiple of 256 bytes";
    case DescriptorFault::slot_in_header:
      return "the slot begins within the segment's header";
    case DescriptorFault::slot_beyond_segment:
      return "the slot reaches beyond its segment";
    case DescriptorFault::data_beyond_slot:
      return "element 0 lies beyond the slot";
    case DescriptorFault::data_alignment:
      return "element 0 is not at a multiple of the element size";
    case DescriptorFault::rank:
      return "there are too many axes";
    case DescriptorFault::unused_axis:
      return "an axis that is not there has an extent or a stride";
    case DescriptorFault::negative_extent:
      return "an extent is negative";
    case DescriptorFault::too_many_elements:
      return "the extents multiply to more bytes than are permitted";
    case DescriptorFault::strides_too_large:
      return "the strides lead further than can be counted";
    case DescriptorFault::elements_beyond_slot:
      return "elements lie outside of the slot";
  }
  return "unknown";
}

DescriptorCheck validate(const TensorDescriptor& descriptor, const DescriptorLimits& limits) noexcept {
  DescriptorFault fault = fault_of_record(descriptor, limits);
  if (fault != DescriptorFault::none) return {fault};
  const std::optional<DataType> dtype = data_type_from_dlpack(descriptor.dtype_code, descriptor.dtype_bits);
  if (!dtype) return {DescriptorFault::dtype};
  if (descriptor.lanes != 1) return {DescriptorFault::lanes};
  fault = fault_of_slot(descriptor, limits, itemsize(*dtype));
  if (fault != DescriptorFault::none) return {fault};
  DescriptorCheck check{.dtype = *dtype};
  check.fault = fault_of_axes(descriptor, limits, itemsize(*dtype), check.dense_bytes);
  return check;
}

TensorDescriptor descriptor_of(const TensorLayout& layout) {
  checked(layout);
  return descriptor_of_sound(layout);
}

TensorDescriptor descriptor_of(const TensorBuffer& tensor) { return descriptor_of_sound(tensor.layout()); }

TensorLayout layout_of(const TensorDescriptor& descriptor, DataType dtype) {
  return {dtype, Dims(std::span(descriptor.shape).first(descriptor.ndim)),
          Dims(std::span(descriptor.strides).first(descriptor.ndim))};
}

}  // namespace remotemedia
