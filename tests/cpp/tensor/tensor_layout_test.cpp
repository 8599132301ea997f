// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "remotemedia/base/error.h"
#include "tensor/layout_model.h"
#include "testing/random_source.h"
#include "testing/rounds.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using testing::modelled_size;
using testing::ModelledSize;
using testing::RandomSource;
using testing::Wide;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

LayoutSize size_of(const Dims& shape, const Dims& strides, std::size_t item) { return measure(shape, strides, item); }

TEST(TensorLayoutTest, AScalarIsOneElement) {
  const LayoutSize size = size_of({}, {}, 4);
  EXPECT_EQ(size.fault, LayoutFault::none);
  EXPECT_EQ(size.elements, 1);
  EXPECT_EQ(size.nbytes, 4);
  EXPECT_EQ(size.begin, 0);
  EXPECT_EQ(size.end, 4);
}

TEST(TensorLayoutTest, NegativeStridesReachBackAndZeroStridesStay) {
  const LayoutSize size = size_of({3, 4, 5}, {-10, 0, 2}, 8);
  EXPECT_EQ(size.elements, 60);
  EXPECT_EQ(size.nbytes, 480);
  EXPECT_EQ(size.begin, -160);
  EXPECT_EQ(size.end, 72);
}

TEST(TensorLayoutTest, WithoutElementsNothingIsReached) {
  const LayoutSize size = size_of({3, 0, 5}, {1000, -7, 3}, 8);
  EXPECT_EQ(size.fault, LayoutFault::none);
  EXPECT_EQ(size.elements, 0);
  EXPECT_EQ(size.nbytes, 0);
  EXPECT_EQ(size.begin, 0);
  EXPECT_EQ(size.end, 0);
}

TEST(TensorLayoutTest, WhatCannotBeCountedIsAFault) {
  EXPECT_EQ(size_of({-1}, {1}, 1).fault, LayoutFault::negative_extent);
  EXPECT_EQ(size_of({kLeast}, {1}, 1).fault, LayoutFault::negative_extent);
  EXPECT_EQ(size_of({std::int64_t{1} << 32, std::int64_t{1} << 31}, {0, 0}, 1).fault, LayoutFault::too_many_elements);
  EXPECT_EQ(size_of({std::int64_t{1} << 32, std::int64_t{1} << 31, 0}, {0, 0, 0}, 1).fault,
            LayoutFault::too_many_elements)
      << "an extent of 0 anywhere does not hide it";
  EXPECT_EQ(size_of({0, std::int64_t{1} << 32, std::int64_t{1} << 31}, {0, 0, 0}, 1).fault,
            LayoutFault::too_many_elements);
  EXPECT_EQ(size_of({kMost}, {0}, 2).fault, LayoutFault::too_many_elements);
  EXPECT_EQ(size_of({1}, {kMost}, 2).fault, LayoutFault::strides_too_large) << "its bytes could not be told to NumPy";
  EXPECT_EQ(size_of({3}, {kMost / 2 + 1}, 1).fault, LayoutFault::strides_too_large);
  EXPECT_EQ(size_of({2, 2}, {kMost, kLeast}, 1).fault, LayoutFault::strides_too_large) << "both ends together";
  EXPECT_EQ(size_of({2}, {kMost}, 1).fault, LayoutFault::strides_too_large) << "the last element's own byte";
  EXPECT_EQ(size_of({2}, {kMost - 1}, 1).fault, LayoutFault::none);
}

TEST(TensorLayoutTest, AgreesWithNumbersWithoutEnd) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  std::map<LayoutFault, std::uint64_t> seen;
  const std::uint64_t tries = testing::slow_rounds(1'000'000);
  for (std::uint64_t i = 0; i < tries; ++i) {
    testing::tell_progress(i, tries);
    std::array<std::int64_t, 10> shape{};
    std::array<std::int64_t, 10> strides{};
    const std::size_t rank = random.below(11);
    const bool tame = random.once_in(2);
    for (std::size_t axis = 0; axis < rank; ++axis) {
      shape[axis] = tame || !random.once_in(4) ? random.between(0, 9) : random.edge();
      strides[axis] = tame || !random.once_in(4) ? random.between(-100, 100) : random.edge();
    }
    const auto item = std::size_t{1} << random.below(5);
    const auto extents = std::span<const std::int64_t>(shape).first(rank);
    const auto steps = std::span<const std::int64_t>(strides).first(rank);
    const LayoutSize size = measure(extents, steps, item);
    const ModelledSize model = modelled_size(extents, steps, static_cast<std::int64_t>(item));
    ++seen[size.fault];
    const bool agree = size.fault == LayoutFault::none
                           ? model.sound() && Wide(size.nbytes) == model.dense && Wide(size.begin) == model.begin &&
                                 Wide(size.end) == model.end &&
                                 size.elements * static_cast<std::int64_t>(item) == size.nbytes
                       : size.fault == LayoutFault::negative_extent   ? model.negative_extent
                       : size.fault == LayoutFault::too_many_elements ? model.too_many_elements
                                                                      : model.strides_too_large;
    ASSERT_TRUE(agree) << to_string(Dims(extents)) << " " << to_string(Dims(steps)) << " of " << item << " bytes";
  }
  EXPECT_EQ(seen.size(), 4U) << "each fault and none was met";
}

TEST(TensorLayoutTest, ReachIsExactlyTheBytesThatElementsHave) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::int64_t, 3> shape{};
    std::array<std::int64_t, 3> strides{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      shape[axis] = random.between(0, 4);
      strides[axis] = random.between(-5, 5);
    }
    std::int64_t begin = 0;
    std::int64_t end = 0;
    for (std::int64_t a = 0; a < shape[0]; ++a) {
      for (std::int64_t b = 0; b < shape[1]; ++b) {
        for (std::int64_t c = 0; c < shape[2]; ++c) {
          const std::int64_t at = (a * strides[0] + b * strides[1] + c * strides[2]) * 4;
          begin = std::min(begin, at);
          end = std::max(end, at + 4);
        }
      }
    }
    const LayoutSize size = measure(shape, strides, 4);
    ASSERT_EQ(size.begin, begin);
    ASSERT_EQ(size.end, end);
    for (std::uint64_t available = 0; available < 12; ++available) {
      for (std::uint64_t offset = 0; offset < 12; ++offset) {
        const bool within = offset <= available && static_cast<std::int64_t>(offset) + begin >= 0 &&
                            static_cast<std::int64_t>(offset) + end <= static_cast<std::int64_t>(available);
        ASSERT_EQ(lies_within(size, offset, available), within);
      }
    }
  }
}

TEST(TensorLayoutTest, LiesWithinDoesNotWrapAround) {
  LayoutSize size;
  size.begin = kLeast;
  size.end = kMost;
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(lies_within(size, 0, kAll));
  EXPECT_FALSE(lies_within(size, kAll, kAll));
  EXPECT_FALSE(lies_within(size, kAll, 0));
  EXPECT_TRUE(lies_within(size, std::uint64_t{1} << 63, kAll));
}

TEST(TensorLayoutTest, RowMajorIsContiguous) {
  EXPECT_EQ(row_major_strides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ(row_major_strides({2, 0, 4}), (Dims{4, 4, 1}));
  EXPECT_EQ(row_major_strides({}), Dims{});
  for (const Dims& shape : {Dims{2, 3, 4}, Dims{2, 0, 4}, Dims{}, Dims{1, 1}}) {
    EXPECT_TRUE(is_contiguous(shape, row_major_strides(shape)));
  }
}

TEST(TensorLayoutTest, ContiguousMeansWithoutGapsInRowMajorOrder) {
  EXPECT_TRUE(is_contiguous(Dims{1, 3}, Dims{999, 1})) << "an extent of 1 is never stepped over";
  EXPECT_TRUE(is_contiguous(Dims{0, 3}, Dims{5, 9}));
  EXPECT_FALSE(is_contiguous(Dims{2, 3}, Dims{4, 1}));
  EXPECT_FALSE(is_contiguous(Dims{3}, Dims{2}));
  EXPECT_FALSE(is_contiguous(Dims{3}, Dims{-1}));
  EXPECT_FALSE(is_contiguous(Dims{3}, Dims{0}));
  EXPECT_FALSE(is_contiguous(Dims{2, 3}, Dims{1, 2}));
}

TEST(TensorLayoutTest, UnsoundLayoutsAreInvalidTensorEachTime) {
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([] { row_major({2}, DataType::bytes); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { row_major({-2}, DataType::int8); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { row_major({kMost, 2}, DataType::int8); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { checked({DataType::int8, {2, 2}, {1}}); }), ErrorCode::invalid_tensor);
  }
}

}  // namespace
}  // namespace remotemedia
