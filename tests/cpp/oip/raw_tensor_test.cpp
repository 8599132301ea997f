// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/raw_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/tensor/packed_bytes.h"
#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using ::testing::AllOf;
using testing::code_thrown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::thrown;

using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

constexpr std::int64_t two_to_the(int power) { return std::int64_t{1} << power; }

std::size_t count_of(const Shape& shape, DataType dtype = DataType::uint8) {
  return element_count_of({"x", dtype, shape});
}

/// A message of bytes 0, 1, 2, ... that begins where every element may.
struct Message {
  alignas(64) std::array<std::byte, 256> bytes{};
  Message() {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  }
};

/// Of `size` bytes of a message, from `offset` on, which is kept by nobody else.
TensorBuffer tensor_of(const Shape& shape, DataType dtype, std::size_t size, std::size_t offset = 0) {
  auto message = std::make_shared<const Message>();
  const std::span bytes = std::span(message->bytes).subspan(offset, size);
  return tensor_of_raw({"x", dtype, shape}, bytes, std::move(message));
}

void expect_refused(const Shape& shape, DataType dtype, std::size_t size) {
  const std::string what =
      to_string(Dims(shape)) + " of " + std::string(to_string(dtype)) + ", " + std::to_string(size) + " bytes";
  EXPECT_EQ(code_thrown([&] { tensor_of(shape, dtype, size); }), ErrorCode::invalid_tensor) << what;
  EXPECT_EQ(tensor_of({2}, DataType::int16, 4).element_count(), 2U) << "after " << what;
}

TEST(RawTensorTest, ElementsAreTheProductOfTheExtents) {
  EXPECT_EQ(count_of({}), 1U);
  EXPECT_EQ(count_of({7}), 7U);
  EXPECT_EQ(count_of({2, 3, 4}, DataType::float64), 24U);
  EXPECT_EQ(count_of({5, 2}, DataType::bytes), 10U);
  EXPECT_EQ(count_of(Shape(kMaxRank, 1)), 1U);
}

TEST(RawTensorTest, AnExtentOfZeroMakesItEmpty) {
  EXPECT_EQ(count_of({0}), 0U);
  EXPECT_EQ(count_of({3, 0, 4}), 0U);
  EXPECT_EQ(count_of({0, 0}), 0U);
  EXPECT_EQ(count_of({0, kMost}), 0U);
  EXPECT_EQ(count_of({kMost, 0}), 0U);
}

TEST(RawTensorTest, TheMostElementsAreThoseWhoseBytesCanBeCounted) {
  EXPECT_EQ(count_of({kMost}), static_cast<std::size_t>(kMost));
  EXPECT_EQ(count_of({1, kMost, 1}), static_cast<std::size_t>(kMost));
  EXPECT_EQ(count_of({two_to_the(31), two_to_the(31)}), static_cast<std::size_t>(two_to_the(62)));
  EXPECT_EQ(count_of({kMost / 4}, DataType::bytes), static_cast<std::size_t>(kMost / 4));
  EXPECT_EQ(count_of({kMost / 8}, DataType::float64), static_cast<std::size_t>(kMost / 8));
}

TEST(RawTensorTest, AProductBeyondTheAddressSpaceIsRefused) {
  const std::vector<Shape> shapes{
      {two_to_the(62), 2},                                     // 2^63
      {two_to_the(32), two_to_the(31)},                        // 2^63
      {2, kMost},                                              // 2^64 - 2
      {two_to_the(32), two_to_the(32)},                        // 2^64, which wraps to 0
      {two_to_the(62), 4},                                     // 2^64
      {3, 6148914691236517206},                                // 2^64 + 2
      {kMost, kMost},                                          // wraps to 1
      {two_to_the(62), two_to_the(62), 16},                    // 2^128
      {0, two_to_the(32), two_to_the(32)},                     // what is empty included
      {two_to_the(32), two_to_the(32), 0},                     //
      {two_to_the(32), two_to_the(31), two_to_the(32), 1, 3},  //
      Shape(kMaxRank, 2),                                      // 2^64
  };
  for (const Shape& shape : shapes) {
    EXPECT_EQ(code_thrown([&] { count_of(shape); }), ErrorCode::invalid_tensor) << to_string(Dims(shape));
    EXPECT_EQ(count_of({2, 3}), 6U);
  }
}

TEST(RawTensorTest, BytesBeyondTheAddressSpaceAreRefusedThoughTheElementsCanBeCounted) {
  for (const Shape& shape : {Shape{two_to_the(60)}, Shape{two_to_the(61)}, Shape{kMost}, Shape{0, two_to_the(60)}}) {
    EXPECT_EQ(code_thrown([&] { count_of(shape, DataType::float64); }), ErrorCode::invalid_tensor);
    EXPECT_GE(count_of(shape, DataType::uint8), 0U);
  }
}

TEST(RawTensorTest, ANegativeExtentIsRefusedAlsoBesideZero) {
  for (const Shape& shape : {Shape{-1}, Shape{kLeast}, Shape{2, -3}, Shape{-2, -3}, Shape{0, -1}, Shape{-1, 0}}) {
    EXPECT_EQ(code_thrown([&] { count_of(shape); }), ErrorCode::invalid_tensor) << to_string(Dims(shape));
    EXPECT_EQ(count_of({2, 3}), 6U);
  }
}

TEST(RawTensorTest, MoreExtentsThanTensorsHaveAreRefused) {
  for (const std::size_t rank : {kMaxRank + 1, std::size_t{100'000}}) {
    EXPECT_EQ(code_thrown([&] { count_of(Shape(rank, 1)); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { count_of(Shape(rank, 0)); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(count_of(Shape(kMaxRank, 1)), 1U);
  }
}

TEST(RawTensorTest, ARefusedShapeIsToldWithTheNameOfTheTensor) {
  const auto text_of = [](const Shape& shape) {
    return std::string(thrown([&] { element_count_of({"pixels", DataType::uint8, shape}); }).what());
  };
  EXPECT_THAT(text_of({4, -7}), AllOf(HasSubstr("'pixels'"), HasSubstr("-7")));
  EXPECT_THAT(text_of(Shape(65, 1)), AllOf(HasSubstr("'pixels'"), HasSubstr("65"), HasSubstr("64")));
  EXPECT_THAT(text_of({kMost, 2}), AllOf(HasSubstr("'pixels'"), HasSubstr("(9223372036854775807, 2)")));
}

TEST(RawTensorTest, ATensorHasTheShapeTheTypeAndTheElementsOfItsBytes) {
  const TensorBuffer tensor = tensor_of({2, 3}, DataType::uint8, 6);
  EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
  EXPECT_EQ(tensor.strides(), (Dims{3, 1}));
  EXPECT_EQ(tensor.dtype(), DataType::uint8);
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_THAT(tensor.span<const std::uint8_t>(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(tensor.select(0, 1).select(0, 0).span<const std::uint8_t>()[0], 3);
}

TEST(RawTensorTest, EveryTypeOfOneSizeTakesExactlyItsBytes) {
  for (const DataTypeInfo& info : kDataTypes) {
    if (info.type == DataType::bytes) continue;
    const std::size_t size = 6 * std::size_t{info.itemsize};
    for (const Shape& shape : {Shape{2, 3}, Shape{6}, Shape{1, 6, 1}}) {
      const TensorBuffer tensor = tensor_of(shape, info.type, size);
      EXPECT_EQ(tensor.dtype(), info.type);
      EXPECT_EQ(tensor.nbytes(), size) << info.name;
      expect_refused(shape, info.type, size - 1);
      expect_refused(shape, info.type, size + 1);
      expect_refused(shape, info.type, size - info.itemsize);
      expect_refused(shape, info.type, size + info.itemsize);
      expect_refused(shape, info.type, 0);
    }
  }
}

TEST(RawTensorTest, AScalarTakesOneElement) {
  const TensorBuffer scalar = tensor_of({}, DataType::int32, 4);
  EXPECT_EQ(scalar.shape(), Dims{});
  EXPECT_EQ(scalar.element_count(), 1U);
  expect_refused({}, DataType::int32, 0);
  expect_refused({}, DataType::int32, 3);
  expect_refused({}, DataType::int32, 8);
}

TEST(RawTensorTest, AnEmptyTensorTakesNoBytes) {
  for (const Shape& shape : {Shape{0}, Shape{0, 3}, Shape{3, 0}, Shape{0, two_to_the(50)}}) {
    for (const std::size_t offset : {0U, 1U}) {
      const TensorBuffer tensor = tensor_of(shape, DataType::float32, 0, offset);
      EXPECT_TRUE(tensor);
      EXPECT_EQ(tensor.shape(), Dims(shape));
      EXPECT_EQ(tensor.element_count(), 0U);
    }
    expect_refused(shape, DataType::float32, 1);
    expect_refused(shape, DataType::float32, 4);
  }
}

TEST(RawTensorTest, NoBytesNeedNoAddressAndNoOwner) {
  const Shape shape{0, 3};
  const TensorBuffer tensor = tensor_of_raw({"x", DataType::float32, shape}, {}, nullptr);
  EXPECT_TRUE(tensor);
  EXPECT_EQ(tensor.shape(), (Dims{0, 3}));
  EXPECT_THAT(tensor.to_bytes(), ::testing::IsEmpty());
}

TEST(RawTensorTest, AShapeWhoseBytesWrapToThoseThereAreIsRefused) {
  expect_refused({two_to_the(61)}, DataType::float64, 0);                // 2^64
  expect_refused({two_to_the(61) + 1}, DataType::float64, 8);            // 2^64 + 8
  expect_refused({two_to_the(62)}, DataType::float32, 0);                // 2^64
  expect_refused({two_to_the(62) + 2}, DataType::float32, 8);            // 2^64 + 8
  expect_refused({two_to_the(32), two_to_the(32)}, DataType::uint8, 0);  // 2^64
  expect_refused({two_to_the(62), 2}, DataType::uint16, 0);              // 2^64
  expect_refused({kMost, kMost}, DataType::uint8, 1);
  expect_refused({0, two_to_the(62)}, DataType::float64, 0);
  expect_refused({-1, -4}, DataType::uint8, 4);
  expect_refused({-1}, DataType::uint8, 0);
}

TEST(RawTensorTest, ElementsOfAnyLengthStandBehindTheirLengths) {
  const std::string_view bytes("\2\0\0\0ab\0\0\0\0", 10);
  for (const std::size_t offset : {0U, 1U}) {
    auto kept = std::make_shared<const std::string>(std::string(16 + offset, '.').append(bytes));
    const auto part = std::as_bytes(std::span(*kept)).subspan(16 + offset);
    const Shape shape{2, 1};
    const TensorBuffer tensor = tensor_of_raw({"x", DataType::bytes, shape}, part, kept);
    EXPECT_EQ(tensor.shape(), (Dims{2, 1}));
    EXPECT_THAT(unpack_bytes(tensor), ElementsAre("ab", ""));
  }
  EXPECT_EQ(tensor_of({0, 2}, DataType::bytes, 0).element_count(), 0U);
}

TEST(RawTensorTest, LengthsThatDoNotLeadToTheEndAreRefused) {
  expect_refused({1}, DataType::bytes, 0);
  expect_refused({1}, DataType::bytes, 3);
  expect_refused({1}, DataType::bytes, 8);
  expect_refused({3}, DataType::bytes, 8);
  expect_refused({0}, DataType::bytes, 1);
  expect_refused({two_to_the(62)}, DataType::bytes, 0);
  expect_refused({two_to_the(62) + 1}, DataType::bytes, 4);
}

TEST(RawTensorTest, ARefusalSaysWhatWasExpectedAndFound) {
  const auto text_of = [](const Shape& shape, DataType dtype, std::size_t size) {
    const Message message;
    const std::span bytes = std::span(message.bytes).first(size);
    return std::string(thrown([&] { tensor_of_raw({"pixels", dtype, shape}, bytes, nullptr); }).what());
  };
  EXPECT_THAT(text_of({2, 3}, DataType::float32, 23),
              AllOf(HasSubstr("'pixels'"), HasSubstr("float32"), HasSubstr("(2, 3)"), HasSubstr("23 bytes"),
                    HasSubstr("6 elements of 4")));
  EXPECT_THAT(text_of({3}, DataType::bytes, 12), HasSubstr("'pixels'"));
  EXPECT_THAT(text_of({-3}, DataType::uint8, 3), AllOf(HasSubstr("'pixels'"), HasSubstr("-3")));
  EXPECT_THAT(text_of({0, two_to_the(62)}, DataType::float64, 0),
              AllOf(HasSubstr("'pixels'"), HasSubstr("(0, 4611686018427387904)")));
}

TEST(RawTensorTest, AlignedBytesAreNotCopiedAndLiveAsLongAsTheTensor) {
  auto message = std::make_shared<const Message>();
  const std::weak_ptr<const Message> kept = message;
  const std::span bytes = std::span(message->bytes).first(16);
  const Shape shape{2, 2};
  TensorBuffer tensor = tensor_of_raw({"x", DataType::int32, shape}, bytes, std::move(message));
  EXPECT_EQ(tensor.data(), bytes.data());
  EXPECT_EQ(tensor.storage(), StorageKind::foreign);
  TensorBuffer row = tensor.select(0, 1);
  EXPECT_EQ(row.data(), bytes.data() + 8);
  tensor = {};
  EXPECT_FALSE(kept.expired());
  EXPECT_EQ(row.span<const std::int32_t>().front(), 0x0b0a0908);
  row = {};
  EXPECT_TRUE(kept.expired());
}

TEST(RawTensorTest, MisalignedBytesAreCopiedAndTheirOwnerIsLetGo) {
  for (std::size_t offset = 1; offset < 8; ++offset) {
    auto message = std::make_shared<const Message>();
    const std::weak_ptr<const Message> kept = message;
    const std::span bytes = std::span(message->bytes).subspan(offset, 16);
    const Shape shape{2};
    const TensorBuffer tensor = tensor_of_raw({"x", DataType::int64, shape}, bytes, std::move(message));
    EXPECT_TRUE(kept.expired());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % alignof(std::int64_t), 0U);
    const auto first = static_cast<std::int64_t>(0x0706050403020100 + 0x0101010101010101 * offset);
    EXPECT_THAT(tensor.span<const std::int64_t>(), ElementsAre(first, first + 0x0808080808080808));
  }
}

TEST(RawTensorTest, NoTensorIsForWriting) {
  for (const std::size_t offset : {0U, 1U}) {
    const TensorBuffer tensor = tensor_of({4}, DataType::int32, 16, offset);
    EXPECT_TRUE(tensor.read_only()) << offset;
    EXPECT_EQ(code_thrown([&] { tensor.mutable_data(); }), ErrorCode::invalid_tensor) << offset;
    EXPECT_EQ(tensor.copy().span<std::int32_t>().size(), 4U);
  }
}

TEST(RawTensorTest, ARefusedTensorLetsItsOwnerGo) {
  auto message = std::make_shared<const Message>();
  const std::weak_ptr<const Message> kept = message;
  const std::span bytes = std::span(message->bytes).first(15);
  const Shape shape{4};
  EXPECT_EQ(code_thrown([&] {
              tensor_of_raw({"x", DataType::int32, shape}, bytes, std::move(message));
            }),
            ErrorCode::invalid_tensor);
  EXPECT_TRUE(kept.expired());
}

}  // namespace
}  // namespace remotemedia::detail
