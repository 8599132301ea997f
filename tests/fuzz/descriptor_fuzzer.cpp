// SPDX-License-Identifier: Apache-2.0
//
// validate() says of any descriptor what numbers without end say. An input is what differs from a sound descriptor, so
// that a changed bit is a changed field and not one of many.

#include <array>
#include <cstddef>
#include <cstdint>

#include "fuzzed_bytes.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "tensor/descriptor_model.h"

using namespace remotemedia;

namespace {

TensorDescriptor sound() {
  TensorDescriptor descriptor = descriptor_of(row_major({24, 10}, DataType::float32));
  descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
  descriptor.generation = 3;
  descriptor.slot_offset = 8192;
  descriptor.data_offset = 16;
  descriptor.nbytes = 1024;
  return descriptor;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  Record record = encode(sound());
  for (std::byte& byte : record.bytes) byte ^= input.take<std::byte>();
  const std::array segments{DescriptorSegment{.bytes = (64 << 10) ^ input.take<std::uint64_t>(), .generation = 3},
                            DescriptorSegment{.bytes = 1 << 20, .generation = 9}};
  const DescriptorLimits limits{.segments = segments,
                                .max_tensor_count = 16,
                                .known_flags = 6,
                                .max_dense_bytes = std::uint64_t{1} << (20 + input.take<std::uint8_t>() % 43)};

  const TensorDescriptor descriptor = decode(record);
  const DescriptorCheck check = validate(descriptor, limits);
  testing::require(testing::agrees(check, testing::modelled_faults(descriptor, limits)), "the model agrees");
  testing::require(to_string(check.fault) != "unknown", "each fault has a sentence");
  if (check) {
    const TensorLayout layout = layout_of(descriptor, check.dtype);
    testing::require(lies_within(checked(layout), descriptor.data_offset, descriptor.nbytes), "it lies in its slot");
    testing::require(layout_of(descriptor_of(layout), layout.dtype) == layout, "it is written as it was read");
  }
  return 0;
}
