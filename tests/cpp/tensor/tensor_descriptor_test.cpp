// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_descriptor.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "tensor/descriptor_model.h"
#include "tensor/descriptor_source.h"
#include "testing/random_source.h"
#include "testing/rounds.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::agrees;
using testing::code_thrown;
using testing::modelled_faults;
using testing::RandomSource;
using Fault = DescriptorFault;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

const std::array kSegments{DescriptorSegment{.bytes = 64 << 10, .generation = 3},
                           DescriptorSegment{.bytes = 1 << 20, .generation = 9}};
const DescriptorLimits kLimits{.segments = kSegments, .max_tensor_count = 16};

/// 24 x 10 floats at byte 16 of a slot of 1,024 bytes, which is the last of its segment.
TensorDescriptor sound() {
  TensorDescriptor descriptor = descriptor_of(row_major({24, 10}, DataType::float32));
  descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
  descriptor.request_id = 77;
  descriptor.tensor_ordinal = 1;
  descriptor.tensor_count = 2;
  descriptor.segment = 1;
  descriptor.generation = 9;
  descriptor.slot_offset = (1 << 20) - 1024;
  descriptor.data_offset = 16;
  descriptor.nbytes = 1024;
  return descriptor;
}

TEST(TensorDescriptorTest, IsReadAsItWasWritten) {
  TensorDescriptor descriptor = sound();
  descriptor.request_id = 0x0102030405060708;
  const Record record = encode(descriptor);
  EXPECT_EQ(record.bytes[0], std::byte{1}) << "version, little-endian";
  EXPECT_EQ(record.bytes[16], std::byte{8}) << "request_id, little-endian";
  EXPECT_EQ(record.bytes[128], std::byte{24}) << "shape[0]";
  EXPECT_EQ(record.bytes[192], std::byte{10}) << "strides[0]";
  EXPECT_EQ(encode(decode(record)).bytes, record.bytes);
}

TEST(TensorDescriptorTest, CarriesALayout) {
  const TensorLayout layout{DataType::float8_e5m2, {3, 0, 4}, {-7, 0, 1}};
  const TensorDescriptor descriptor = descriptor_of(layout);
  EXPECT_EQ(layout_of(descriptor, DataType::float8_e5m2), layout);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([] {
                descriptor_of(row_major({1, 1, 1, 1, 1, 1, 1, 1, 1}, DataType::int8));
              }),
              ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { descriptor_of({DataType::bytes, {}, {}}); }), ErrorCode::invalid_tensor);
  }
}

TEST(TensorDescriptorTest, ASoundOneIsAccepted) {
  const DescriptorCheck check = validate(sound(), kLimits);
  EXPECT_TRUE(check);
  EXPECT_EQ(check.dtype, DataType::float32);
}

TEST(TensorDescriptorTest, ViewsWithNegativeAndZeroStridesAreSoundWithinTheirSlot) {
  TensorDescriptor descriptor = sound();
  descriptor.shape = {24, 10};
  descriptor.strides = {-10, 1};
  descriptor.data_offset = 16 + 23 * 40;
  EXPECT_TRUE(validate(descriptor, kLimits));
  descriptor.strides = {0, 0};
  descriptor.data_offset = 1020;
  EXPECT_TRUE(validate(descriptor, kLimits));
}

TEST(TensorDescriptorTest, ScalarsAndTensorsWithoutElementsAreSound) {
  TensorDescriptor scalar = sound();
  scalar.ndim = 0;
  scalar.shape = {};
  scalar.strides = {};
  EXPECT_TRUE(validate(scalar, kLimits));
  TensorDescriptor none = sound();
  none.shape[0] = 0;
  none.nbytes = 0;
  none.data_offset = 0;
  none.slot_offset = 1 << 20;
  EXPECT_TRUE(validate(none, kLimits)) << "no byte at the very end";
}

struct Lie {
  const char* name;
  std::function<void(TensorDescriptor&)> tell;
  Fault fault;
};

const std::vector<Lie>& lies() {
  static const std::vector<Lie> all{
      {"no record at all", [](auto& d) { d = TensorDescriptor{.version = 0}; }, Fault::version},
      {"another version", [](auto& d) { d.version = 2; }, Fault::version},
      {"no kind", [](auto& d) { d.kind = 0; }, Fault::kind},
      {"a release", [](auto& d) { d.kind = 3; }, Fault::kind},
      {"kind 255", [](auto& d) { d.kind = 255; }, Fault::kind},
      {"a flag", [](auto& d) { d.flags = 1; }, Fault::flags},
      {"reserved word", [](auto& d) { d.reserved = 1; }, Fault::reserved},
      {"first reserved byte", [](auto& d) { d.reserved_bytes.front() = 1; }, Fault::reserved},
      {"last reserved byte", [](auto& d) { d.reserved_bytes.back() = 128; }, Fault::reserved},
      {"a GPU", [](auto& d) { d.device_type = 2; }, Fault::device},
      {"device 1", [](auto& d) { d.device_id = 1; }, Fault::device},
      {"device -1", [](auto& d) { d.device_type = -1; }, Fault::device},
      {"too many tensors", [](auto& d) { d.tensor_count = 17; }, Fault::tensor_count},
      {"4 billion tensors", [](auto& d) { d.tensor_count = 0xffffffff; }, Fault::tensor_count},
      {"no tensors", [](auto& d) { d.tensor_ordinal = d.tensor_count = 0; }, Fault::tensor_ordinal},
      {"tensor 2 of 2", [](auto& d) { d.tensor_ordinal = 2; }, Fault::tensor_ordinal},
      {"tensor -1", [](auto& d) { d.tensor_ordinal = 0xffffffff; }, Fault::tensor_ordinal},
      {"a handle's type", [](auto& d) { d.dtype_code = 3; }, Fault::dtype},
      {"type 255", [](auto& d) { d.dtype_code = 255; }, Fault::dtype},
      {"0 bits", [](auto& d) { d.dtype_bits = 0; }, Fault::dtype},
      {"4 bits", [](auto& d) { d.dtype_code = 17, d.dtype_bits = 4; }, Fault::dtype},
      {"float8", [](auto& d) { d.dtype_bits = 8; }, Fault::dtype},
      {"2 lanes", [](auto& d) { d.lanes = 2; }, Fault::lanes},
      {"0 lanes", [](auto& d) { d.lanes = 0; }, Fault::lanes},
      {"segment 2 of 2", [](auto& d) { d.segment = 2; }, Fault::segment},
      {"segment -1", [](auto& d) { d.segment = 0xffffffff; }, Fault::segment},
      {"the last generation", [](auto& d) { d.generation = 8; }, Fault::generation},
      {"the other segment's generation", [](auto& d) { d.segment = 0; }, Fault::generation},
      {"a slot in the midst of one", [](auto& d) { d.slot_offset -= 128; }, Fault::slot_alignment},
      {"slot 0", [](auto& d) { d.slot_offset = 0; }, Fault::slot_in_header},
      {"a slot in the header", [](auto& d) { d.slot_offset = 4096 - 256; }, Fault::slot_in_header},
      {"a byte too many", [](auto& d) { d.nbytes = 1025; }, Fault::slot_beyond_segment},
      {"64 MiB over 4 KiB", [](auto& d) { d.nbytes = 64 << 20; }, Fault::slot_beyond_segment},
      {"all bytes", [](auto& d) { d.nbytes = UINT64_MAX; }, Fault::slot_beyond_segment},
      {"a size that wraps", [](auto& d) { d.nbytes = UINT64_MAX - d.slot_offset + 1; }, Fault::slot_beyond_segment},
      {"a slot beyond the end", [](auto& d) { d.slot_offset = (1 << 20) + 256, d.nbytes = 0; },
       Fault::slot_beyond_segment},
      {"the last slot there can be", [](auto& d) { d.slot_offset = UINT64_MAX - 255; }, Fault::slot_beyond_segment},
      {"element 0 beyond the slot", [](auto& d) { d.data_offset = 1028; }, Fault::data_beyond_slot},
      {"element -1", [](auto& d) { d.data_offset = UINT64_MAX - 3; }, Fault::data_beyond_slot},
      {"an odd address", [](auto& d) { d.data_offset = 18; }, Fault::data_alignment},
      {"9 axes", [](auto& d) { d.ndim = 9; }, Fault::rank},
      {"255 axes", [](auto& d) { d.ndim = 255; }, Fault::rank},
      {"an extent nobody counts", [](auto& d) { d.shape[2] = 1; }, Fault::unused_axis},
      {"a stride nobody counts", [](auto& d) { d.strides[7] = -1; }, Fault::unused_axis},
      {"a negative extent", [](auto& d) { d.shape[0] = -24; }, Fault::negative_extent},
      {"two negative extents", [](auto& d) { d.shape[0] = -24, d.shape[1] = -10; }, Fault::negative_extent},
      {"extents that wrap to 0", [](auto& d) { d.shape[0] = d.shape[1] = std::int64_t{1} << 32; },
       Fault::too_many_elements},
      {"bytes that wrap", [](auto& d) { d.shape[0] = kMost / 2, d.strides = {}; }, Fault::too_many_elements},
      {"a stride that wraps", [](auto& d) { d.strides[0] = kMost; }, Fault::strides_too_large},
      {"a way that wraps", [](auto& d) { d.strides[0] = kLeast / 8; }, Fault::strides_too_large},
      {"a wild stride of an extent of 1", [](auto& d) { d.shape[0] = 1, d.strides[0] = kLeast; },
       Fault::strides_too_large},
      {"a row too many", [](auto& d) { d.shape[0] = 26; }, Fault::elements_beyond_slot},
      {"one element too many", [](auto& d) { d.data_offset = 68; }, Fault::elements_beyond_slot},
      {"rows before the slot", [](auto& d) { d.strides[0] = -10; }, Fault::elements_beyond_slot},
      {"a column before the slot", [](auto& d) { d.strides[1] = -1; }, Fault::elements_beyond_slot},
      {"one element at the end",
       [](auto& d) {
         d.shape = {1, 1}, d.data_offset = 1024;
       },
       Fault::elements_beyond_slot},
  };
  return all;
}

TEST(TensorDescriptorTest, EachLieIsFoundEachTime) {
  for (const Lie& lie : lies()) {
    for (int time = 0; time < 2; ++time) {
      TensorDescriptor descriptor = sound();
      lie.tell(descriptor);
      EXPECT_EQ(validate(descriptor, kLimits).fault, lie.fault) << lie.name;
      EXPECT_TRUE(modelled_faults(descriptor, kLimits).has(lie.fault)) << lie.name;
    }
  }
}

TEST(TensorDescriptorTest, EachFaultIsToldByALieAndHasASentenceOfItsOwn) {
  std::set<Fault> told;
  for (const Lie& lie : lies()) told.insert(lie.fault);
  std::set<std::string_view> sentences;
  for (auto number = 1U; number <= static_cast<unsigned>(Fault::elements_beyond_slot); ++number) {
    const auto fault = static_cast<Fault>(number);
    EXPECT_TRUE(told.contains(fault)) << to_string(fault);
    EXPECT_TRUE(sentences.insert(to_string(fault)).second) << to_string(fault);
    EXPECT_NE(to_string(fault), "unknown");
  }
}

TEST(TensorDescriptorTest, WhatTheReceiverKnowsIsPermitted) {
  TensorDescriptor descriptor = sound();
  descriptor.flags = 4;
  DescriptorLimits limits = kLimits;
  limits.known_flags = 6;
  EXPECT_TRUE(validate(descriptor, limits));
  descriptor.flags = 5;
  EXPECT_EQ(validate(descriptor, limits).fault, Fault::flags);
}

TEST(TensorDescriptorTest, RepeatedElementsCountForTheLimitOfDenseBytes) {
  TensorDescriptor descriptor = sound();
  descriptor.shape = {std::int64_t{1} << 40, 1};
  descriptor.strides = {0, 1};
  EXPECT_TRUE(validate(descriptor, kLimits)) << "four bytes, often";
  DescriptorLimits limits = kLimits;
  limits.max_dense_bytes = (std::uint64_t{1} << 42) - 1;
  EXPECT_EQ(validate(descriptor, limits).fault, Fault::too_many_elements);
  ++limits.max_dense_bytes;
  EXPECT_TRUE(validate(descriptor, limits));
}

TEST(TensorDescriptorTest, ASessionWithoutSegmentsHasNoTensors) {
  EXPECT_EQ(validate(sound(), {}).fault, Fault::segment);
}

std::string bytes_of(const TensorDescriptor& descriptor) {
  std::ostringstream text;
  for (const std::byte byte : encode(descriptor).bytes) text << std::hex << static_cast<int>(byte) << ' ';
  return text.str();
}

TEST(TensorDescriptorTest, AgreesWithNumbersWithoutEnd) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  std::map<Fault, std::uint64_t> seen;
  const std::uint64_t tries = testing::slow_rounds(1'000'000);
  for (std::uint64_t i = 0; i < tries; ++i) {
    testing::tell_progress(i, tries);
    const testing::DescriptorCase one = testing::any_descriptor(random);
    const DescriptorCheck check = validate(one.descriptor, one.limits());
    ++seen[check.fault];
    ASSERT_TRUE(agrees(check, modelled_faults(one.descriptor, one.limits())))
        << to_string(check.fault) << ": " << bytes_of(one.descriptor);
  }
  EXPECT_GT(seen[Fault::none], tries / 20);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Fault::elements_beyond_slot) + 1) << "each fault was met";
}

}  // namespace
}  // namespace remotemedia
