// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/packed_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/tensor/dlpack.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::thrown;
using Texts = std::vector<std::string_view>;

TensorBuffer packed(const Texts& elements) {
  return pack_bytes(elements, {static_cast<std::int64_t>(elements.size())});
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto* const first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

TEST(PackedBytesTest, ElementsComeBackAsTheyWere) {
  const Texts elements{"good", "", std::string_view("a\0b\0", 4), "morning"};
  for (const Dims& shape : {Dims{4}, Dims{2, 2}, Dims{4, 1}}) {
    const TensorBuffer tensor = pack_bytes(elements, shape);
    EXPECT_EQ(tensor.dtype(), DataType::bytes);
    EXPECT_EQ(tensor.shape(), shape);
    EXPECT_EQ(tensor.element_count(), 4U);
    EXPECT_EQ(tensor.nbytes(), 4 * kPackedLengthBytes + 15);
    EXPECT_EQ(unpack_bytes(tensor), elements);
    EXPECT_EQ(unpack_bytes(tensor.copy()), elements);
    EXPECT_EQ(unpack_bytes(tensor.reshape({2, 1, -1}).expand_dims(0)), elements);
    EXPECT_EQ(TensorBuffer::from_bytes(tensor.to_bytes(), shape, DataType::bytes).to_bytes(), tensor.to_bytes());
  }
}

TEST(PackedBytesTest, LengthsStandInFourBytesBeforeTheirElements) {
  EXPECT_EQ(packed({"ab", ""}).to_bytes(), bytes_of(std::string_view("\2\0\0\0ab\0\0\0\0", 10)));
}

TEST(PackedBytesTest, AScalarAndNoElementsArePacked) {
  EXPECT_THAT(unpack_bytes(pack_bytes(Texts{"one"}, {})), ElementsAre("one"));
  EXPECT_THAT(unpack_bytes(pack_bytes({}, {3, 0})), IsEmpty());
  EXPECT_THAT(unpack_bytes(TensorBuffer::allocate({0}, DataType::bytes)), IsEmpty());
}

TEST(PackedBytesTest, AnotherNumberOfElementsThanTheShapeHasIsRefused) {
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(code_thrown([] { pack_bytes(Texts{"a"}, {2}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { pack_bytes({}, {}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { pack_bytes(Texts{"a"}, {-1}); }), ErrorCode::invalid_tensor);
  }
}

TEST(PackedBytesTest, LengthsThatDoNotLeadToTheEndAreRefused) {
  for (const std::string_view text : {std::string_view(""), std::string_view("\1\0\0", 3),
                                      std::string_view("\1\0\0\0", 4), std::string_view("\xff\xff\xff\xff", 4),
                                      std::string_view("\0\0\0\0x", 5), std::string_view("\2\0\0\0ab\0", 7)}) {
    for (int twice = 0; twice < 2; ++twice) {
      EXPECT_EQ(code_thrown([&] { TensorBuffer::from_bytes(bytes_of(text), {1}, DataType::bytes); }),
                ErrorCode::invalid_tensor);
    }
  }
  EXPECT_EQ(code_thrown([] { TensorBuffer::from_bytes(bytes_of("x"), {0}, DataType::bytes); }),
            ErrorCode::invalid_tensor);
}

TEST(PackedBytesTest, ALengthThatChangesLaterIsFoundWhenElementsAreRead) {
  const TensorBuffer tensor = packed({"ab", "cd"});
  const std::uint32_t length = 1U << 31U;
  std::memcpy(tensor.mutable_data(), &length, sizeof length);
  EXPECT_EQ(code_thrown([&] { unpack_bytes(tensor); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { check_packed(tensor); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { detail::joined_packed(std::array{packed({"x"}), tensor}); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] {
              detail::split_packed(tensor, std::array<std::int64_t, 2>{1, 1});
            }),
            ErrorCode::invalid_tensor);
}

TEST(PackedBytesTest, NoViewCutsThem) {
  const TensorBuffer tensor = packed({"ab", "cd"});
  EXPECT_THAT(thrown([&] { tensor.slice(0, {.end = 1}); }).what(), HasSubstr("unpack_bytes()"));
  EXPECT_EQ(code_thrown([&] { tensor.select(0, 0); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { tensor.transpose(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { tensor.broadcast_to({2, 2}); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { tensor.span<const std::uint8_t>(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { to_dlpack(tensor); }), ErrorCode::invalid_tensor);
}

TEST(PackedBytesTest, TheyHaveNoIdForOtherProcesses) {
  SharedMemoryAllocator allocator;
  const TensorBuffer tensor = packed({"ab"});
  const TensorBuffer copy = tensor.copy(allocator);
  EXPECT_EQ(unpack_bytes(copy), Texts{"ab"});
  for (const TensorBuffer& each : {tensor, copy}) {
    EXPECT_EQ(code_thrown([&] { (void)each.to_shared_memory(&allocator); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { (void)each.lend(); }), ErrorCode::invalid_tensor);
  }
}

TEST(PackedBytesTest, OneIsAssignedToAnotherOfAsManyBytes) {
  const TensorBuffer to = packed({"ab", "c"});
  to.assign(packed({"d", "ef"}));
  EXPECT_THAT(unpack_bytes(to), ElementsAre("d", "ef"));
  EXPECT_EQ(code_thrown([&] { to.assign(packed({"d", "efg"})); }), ErrorCode::invalid_tensor);
  EXPECT_THAT(unpack_bytes(to), ElementsAre("d", "ef"));
}

TEST(PackedBytesTest, PartsAreJoinedAndSplitByRows) {
  const TensorBuffer first = pack_bytes(Texts{"a", "bb"}, {1, 2});
  const TensorBuffer second = pack_bytes(Texts{"", "c", "dd", "e"}, {2, 2});
  const TensorBuffer whole = detail::joined_packed(std::array{first, second});
  EXPECT_EQ(whole.shape(), (Dims{3, 2}));
  EXPECT_THAT(unpack_bytes(whole), ElementsAre("a", "bb", "", "c", "dd", "e"));
  const std::vector<TensorBuffer> parts = detail::split_packed(whole, std::array<std::int64_t, 2>{1, 2});
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].to_bytes(), first.to_bytes());
  EXPECT_EQ(parts[1].shape(), (Dims{2, 2}));
  EXPECT_EQ(parts[1].to_bytes(), second.to_bytes());
}

TEST(PackedBytesTest, OthersAreNotUnpacked) {
  EXPECT_EQ(code_thrown([] { unpack_bytes(TensorBuffer::allocate({4}, DataType::uint8)); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([] { unpack_bytes({}); }), ErrorCode::invalid_tensor);
}

}  // namespace
}  // namespace remotemedia
