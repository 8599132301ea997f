// SPDX-License-Identifier: Apache-2.0
//
// Lies about a tensor of 10 float32 at the start of a segment of at most 1 GiB, each of which is refused by whoever
// reads its record.

#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::testing {

using DescriptorLie = std::pair<const char*, std::function<void(TensorDescriptor&)>>;

inline std::vector<DescriptorLie> descriptor_lies() {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return {
      {"version", [](TensorDescriptor& d) { d.version = 2; }},
      {"kind 0", [](TensorDescriptor& d) { d.kind = 0; }},
      {"kind 255", [](TensorDescriptor& d) { d.kind = 255; }},
      {"ndim", [](TensorDescriptor& d) { d.ndim = 9; }},
      {"dtype code", [](TensorDescriptor& d) { d.dtype_code = 99; }},
      {"dtype bits", [](TensorDescriptor& d) { d.dtype_bits = 7; }},
      {"lanes", [](TensorDescriptor& d) { d.lanes = 2; }},
      {"unknown flag", [](TensorDescriptor& d) { d.flags = 8; }},
      {"in the record, and in a segment", [](TensorDescriptor& d) { d.flags = 4; }},
      {"last flag", [](TensorDescriptor& d) { d.flags = 0x8000'0000U; }},
      {"ordinal without its first", [](TensorDescriptor& d) { d.tensor_ordinal = 1, d.tensor_count = 2; }},
      {"ordinal beyond the count", [](TensorDescriptor& d) { d.tensor_ordinal = 1; }},
      {"count 0", [](TensorDescriptor& d) { d.tensor_count = 0; }},
      {"count 513", [](TensorDescriptor& d) { d.tensor_count = 513; }},
      {"the last segment", [](TensorDescriptor& d) { d.segment = std::numeric_limits<std::uint32_t>::max(); }},
      {"generation", [](TensorDescriptor& d) { ++d.generation; }},
      {"slot in the header", [](TensorDescriptor& d) { d.slot_offset = 0; }},
      {"slot not aligned", [](TensorDescriptor& d) { d.slot_offset += 8; }},
      {"slot beyond", [](TensorDescriptor& d) { d.slot_offset = std::uint64_t{1} << 30; }},
      {"slot far beyond", [](TensorDescriptor& d) { d.slot_offset = ~std::uint64_t{255}; }},
      {"data beyond", [](TensorDescriptor& d) { d.data_offset = 4; }},
      {"data far beyond", [](TensorDescriptor& d) { d.data_offset = ~std::uint64_t{3}; }},
      {"data not aligned", [](TensorDescriptor& d) { d.data_offset = 2, d.nbytes += 2; }},
      {"fewer bytes", [](TensorDescriptor& d) { --d.nbytes; }},
      {"more bytes than the segment", [](TensorDescriptor& d) { d.nbytes = std::uint64_t{1} << 40; }},
      {"all bytes", [](TensorDescriptor& d) { d.nbytes = ~std::uint64_t{0}; }},
      {"device", [](TensorDescriptor& d) { d.device_type = 2; }},
      {"device id", [](TensorDescriptor& d) { d.device_id = 1; }},
      {"reserved", [](TensorDescriptor& d) { d.reserved = 1; }},
      {"reserved bytes", [](TensorDescriptor& d) { d.reserved_bytes[39] = 1; }},
      {"negative extent", [](TensorDescriptor& d) { d.shape[0] = -1; }},
      {"more elements", [](TensorDescriptor& d) { ++d.shape[0]; }},
      {"most elements", [](TensorDescriptor& d) { d.shape[0] = kMost; }},
      {"stride", [](TensorDescriptor& d) { d.strides[0] = 2; }},
      {"negative stride", [](TensorDescriptor& d) { d.strides[0] = -1; }},
      {"largest stride", [](TensorDescriptor& d) { d.strides[0] = kMost; }},
      {"unused axis", [](TensorDescriptor& d) { d.shape[7] = 1; }},
  };
}

}  // namespace remotemedia::testing
