// SPDX-License-Identifier: Apache-2.0
//
// The rules of a descriptor once more, each by itself, in numbers without end: what validate() is compared with.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "tensor/layout_model.h"
#include "tensor/wide.h"

namespace remotemedia::testing {

/// All faults of a descriptor, not only the first.
class Faults {
 public:
  void add(DescriptorFault fault, bool present) {
    if (present) bits_ |= std::uint32_t{1} << static_cast<unsigned>(fault);
  }
  bool has(DescriptorFault fault) const { return ((bits_ >> static_cast<unsigned>(fault)) & 1U) != 0; }
  bool none() const { return bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;
};

inline std::optional<DataTypeInfo> row_of(const TensorDescriptor& descriptor) {
  for (const DataTypeInfo& info : kDataTypes) {
    const bool same = info.dlpack_code == descriptor.dtype_code && info.dlpack_bits == descriptor.dtype_bits;
    if (info.dlpack_bits != 0 && same) return info;
  }
  return std::nullopt;
}

inline Faults modelled_faults(const TensorDescriptor& d, const DescriptorLimits& limits) {
  using Fault = DescriptorFault;
  Faults faults;
  faults.add(Fault::version, d.version != 1);
  faults.add(Fault::kind, d.kind != 1 && d.kind != 2 && d.kind != 6);
  faults.add(Fault::flags, (d.flags | limits.known_flags) != limits.known_flags);
  bool reserved = d.reserved != 0;
  for (const std::uint8_t byte : d.reserved_bytes) reserved |= byte != 0;
  faults.add(Fault::reserved, reserved);
  faults.add(Fault::device, d.device_type != 1 || d.device_id != 0);
  faults.add(Fault::lanes, d.lanes != 1);
  faults.add(Fault::tensor_count, d.tensor_count > limits.max_tensor_count);
  faults.add(Fault::tensor_ordinal, !(d.tensor_ordinal < d.tensor_count));
  faults.add(Fault::rank, d.ndim > 8);
  faults.add(Fault::slot_alignment, d.slot_offset % 256 != 0);
  faults.add(Fault::slot_in_header, d.slot_offset < 4096);
  faults.add(Fault::data_beyond_slot, d.data_offset > d.nbytes);
  faults.add(Fault::segment, d.segment >= limits.segments.size());
  if (d.segment < limits.segments.size()) {
    const DescriptorSegment& segment = limits.segments[d.segment];
    faults.add(Fault::generation, d.generation != segment.generation);
    faults.add(Fault::slot_beyond_segment,
               Wide::of_unsigned(d.slot_offset) + Wide::of_unsigned(d.nbytes) > Wide::of_unsigned(segment.bytes));
  }

  const std::optional<DataTypeInfo> row = row_of(d);
  faults.add(Fault::dtype, !row);
  if (row) faults.add(Fault::data_alignment, d.data_offset % row->itemsize != 0);
  if (d.ndim > 8) return faults;

  bool unused = false;
  for (std::size_t axis = d.ndim; axis < 8; ++axis) unused |= d.shape[axis] != 0 || d.strides[axis] != 0;
  faults.add(Fault::unused_axis, unused);
  if (!row) return faults;
  const ModelledSize size =
      modelled_size(std::span(d.shape).first(d.ndim), std::span(d.strides).first(d.ndim), row->itemsize);
  faults.add(Fault::negative_extent, size.negative_extent);
  faults.add(Fault::too_many_elements,
             size.too_many_elements || size.dense > Wide::of_unsigned(limits.max_dense_bytes));
  faults.add(Fault::strides_too_large, size.strides_too_large);
  const Wide first = Wide::of_unsigned(d.data_offset) + size.begin;
  const Wide last = Wide::of_unsigned(d.data_offset) + size.end;
  faults.add(Fault::elements_beyond_slot, first < Wide(0) || last > Wide::of_unsigned(d.nbytes));
  return faults;
}

/// Whether validate() says of `descriptor` what the model says: sound, or one of the faults that there are.
inline bool agrees(const DescriptorCheck& check, const Faults& faults) {
  return check.fault == DescriptorFault::none ? faults.none() : faults.has(check.fault);
}

}  // namespace remotemedia::testing
