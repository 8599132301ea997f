// SPDX-License-Identifier: Apache-2.0
//
// Views are compared with a list of where each element lies, in row-major order.

#include "remotemedia/tensor/layout_views.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "remotemedia/base/error.h"
#include "testing/random_source.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using testing::RandomSource;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

/// Of each element in row-major order, in bytes from element 0 of the original.
std::vector<std::int64_t> places(const TensorLayout& layout, std::int64_t offset = 0) {
  std::vector<std::int64_t> found{offset};
  for (std::size_t axis = 0; axis < layout.shape.size(); ++axis) {
    std::vector<std::int64_t> next;
    for (const std::int64_t place : found) {
      for (std::int64_t i = 0; i < layout.shape[axis]; ++i) {
        next.push_back(place + i * layout.strides[axis] * static_cast<std::int64_t>(itemsize(layout.dtype)));
      }
    }
    found = std::move(next);
  }
  return found;
}

/// Of the elements whose index on `axis` is in `taken`, in that order.
std::vector<std::int64_t> places_where(const TensorLayout& layout, std::size_t axis,
                                       const std::vector<std::int64_t>& taken) {
  const std::vector<std::int64_t> all = places(layout);
  std::size_t inner = 1;
  std::size_t outer = 1;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    if (i < axis) outer *= static_cast<std::size_t>(layout.shape[i]);
    if (i > axis) inner *= static_cast<std::size_t>(layout.shape[i]);
  }
  const auto extent = static_cast<std::size_t>(layout.shape[axis]);
  std::vector<std::int64_t> found;
  for (std::size_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : taken) {
      const auto first = (o * extent + static_cast<std::size_t>(index)) * inner;
      for (std::size_t i = 0; i < inner; ++i) found.push_back(all[first + i]);
    }
  }
  return found;
}

/// The indices of a slice, the way Python's reference describes them.
std::vector<std::int64_t> indices(std::int64_t extent, const IndexRange& range) {
  const auto normal = [&](std::int64_t position, std::int64_t lowest, std::int64_t highest) {
    if (position < 0) position += extent;
    return std::min(std::max(position, lowest), highest);
  };
  std::vector<std::int64_t> found;
  if (range.step > 0) {
    const std::int64_t begin = range.begin ? normal(*range.begin, 0, extent) : 0;
    const std::int64_t end = range.end ? normal(*range.end, 0, extent) : extent;
    for (std::int64_t i = begin; i < end; ++i) {
      if ((i - begin) % range.step == 0) found.push_back(i);
    }
  } else {
    const std::int64_t begin = range.begin ? normal(*range.begin, -1, extent - 1) : extent - 1;
    const std::int64_t end = range.end ? normal(*range.end, -1, extent - 1) : -1;
    for (std::int64_t i = begin; i > end; --i) {
      if ((begin - i) % range.step == 0) found.push_back(i);
    }
  }
  return found;
}

TensorLayout any_layout(RandomSource& random, std::size_t rank) {
  std::array<std::int64_t, kMaxRank> shape{};
  std::array<std::int64_t, kMaxRank> strides{};
  for (std::size_t axis = 0; axis < rank; ++axis) {
    shape[axis] = random.between(random.once_in(4) ? 0 : 1, 4);
    strides[axis] = random.between(-9, 9);
  }
  return {DataType::float32, Dims(std::span<const std::int64_t>(shape).first(rank)),
          Dims(std::span<const std::int64_t>(strides).first(rank))};
}

TEST(LayoutViewsTest, SlicesTakeWhatPythonTakes) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  for (int i = 0; i < 50'000; ++i) {
    const std::size_t rank = 1 + random.below(3);
    const TensorLayout layout = any_layout(random, rank);
    const std::size_t axis = random.below(rank);
    IndexRange range;
    const auto position = [&] { return random.once_in(5) ? random.edge() : random.between(-6, 6); };
    if (!random.once_in(3)) range.begin = position();
    if (!random.once_in(3)) range.end = position();
    range.step = position();
    if (range.step == 0) range.step = 1;
    const LayoutView view = sliced(layout, axis, range);
    ASSERT_EQ(places(view.layout, view.offset), places_where(layout, axis, indices(layout.shape[axis], range)))
        << to_string(layout.shape) << " axis " << axis << " [" << range.begin.value_or(-999) << ":"
        << range.end.value_or(-999) << ":" << range.step << "]";
  }
}

TEST(LayoutViewsTest, AnIndexTakesItsAxisAway) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t rank = 1 + random.below(4);
    const TensorLayout layout = any_layout(random, rank);
    const std::size_t axis = random.below(rank);
    const std::int64_t extent = layout.shape[axis];
    if (extent == 0) continue;
    const std::int64_t index = random.between(-extent, extent - 1);
    const LayoutView view = selected(layout, axis, index);
    ASSERT_EQ(places(view.layout, view.offset), places_where(layout, axis, {index < 0 ? index + extent : index}));
    ASSERT_EQ(view.layout.shape.size(), rank - 1);
  }
}

TEST(LayoutViewsTest, ViewsWithoutElementsStartWhereTheOriginalDoes) {
  const TensorLayout layout = row_major({4, 0, 3}, DataType::int64);
  EXPECT_EQ(selected(layout, 0, 3).offset, 0);
  EXPECT_EQ(sliced(layout, 0, {.begin = 2}).offset, 0);
  EXPECT_EQ(sliced(row_major({4}, DataType::int64), 0, {.begin = 4}).offset, 0);
}

TEST(LayoutViewsTest, AStepTooLongToWriteTakesOneElement) {
  const TensorLayout layout{DataType::int8, {3}, {kMost / 4}};
  EXPECT_EQ(places(sliced(layout, 0, {.step = kMost}).layout), (std::vector<std::int64_t>{0}));
  const LayoutView back = sliced(layout, 0, {.step = kLeast});
  EXPECT_EQ(places(back.layout, back.offset), (std::vector<std::int64_t>{kMost / 4 * 2}));
}

TEST(LayoutViewsTest, TransposesReorderAxes) {
  const TensorLayout layout = row_major({2, 3, 4}, DataType::float32);
  EXPECT_EQ(transposed(layout, std::nullopt), (TensorLayout{DataType::float32, {4, 3, 2}, {1, 4, 12}}));
  EXPECT_EQ(transposed(layout, Dims{1, 2, 0}), (TensorLayout{DataType::float32, {3, 4, 2}, {4, 1, 12}}));
  EXPECT_EQ(transposed(layout, Dims{-2, -1, 0}), transposed(layout, Dims{1, 2, 0}));
  EXPECT_EQ(transposed(row_major({}, DataType::float32), std::nullopt).shape, Dims{});
}

TEST(LayoutViewsTest, BroadcastRepeatsWithoutMemory) {
  const TensorLayout layout = row_major({3, 1}, DataType::float32);
  EXPECT_EQ(broadcast(layout, {2, 3, 5}), (TensorLayout{DataType::float32, {2, 3, 5}, {0, 1, 0}}));
  EXPECT_EQ(broadcast(layout, {3, 1}), layout);
  EXPECT_EQ(broadcast(row_major({}, DataType::int8), {4}), (TensorLayout{DataType::int8, {4}, {0}}));
  EXPECT_EQ(broadcast(layout, {3, 0}), (TensorLayout{DataType::float32, {3, 0}, {1, 0}}));
  for (const Dims& shape : {Dims{3}, Dims{2, 5}, Dims{3, -1}, Dims{}}) {
    EXPECT_EQ(code_thrown([&] { broadcast(layout, shape); }), ErrorCode::invalid_tensor) << to_string(shape);
  }
  EXPECT_EQ(code_thrown([&] { broadcast(layout, {kMost, 3, 1}); }), ErrorCode::invalid_tensor);
}

TEST(LayoutViewsTest, AnAxisOfOneCanStandAnywhere) {
  const TensorLayout layout = row_major({2, 3}, DataType::float32);
  EXPECT_EQ(expanded(layout, 0).shape, (Dims{1, 2, 3}));
  EXPECT_EQ(expanded(layout, 1).shape, (Dims{2, 1, 3}));
  EXPECT_EQ(expanded(layout, 2).shape, (Dims{2, 3, 1}));
  EXPECT_EQ(places(expanded(layout, 1)), places(layout));
  EXPECT_TRUE(is_contiguous(expanded(layout, 0).shape, expanded(layout, 0).strides));
}

TEST(LayoutViewsTest, AReshapeIsAViewExactlyWhenOneExists) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  int views = 0;
  int refused = 0;
  for (int i = 0; i < 50'000; ++i) {
    TensorLayout layout = any_layout(random, random.below(5));
    if (random.once_in(2)) layout = row_major(layout.shape, layout.dtype);
    if (random.once_in(3) && !layout.shape.empty()) {
      const std::size_t axis = random.below(layout.shape.size());
      layout = sliced(layout, axis, {.begin = 0, .step = random.between(1, 2)}).layout;
    }
    const std::vector<std::int64_t> before = places(layout);

    // The same count in random factors.
    std::vector<std::int64_t> shape;
    auto rest = static_cast<std::int64_t>(before.size());
    while (rest > 1) {
      std::int64_t factor = random.between(1, rest);
      while (rest % factor != 0) ++factor;
      shape.push_back(factor);
      rest /= factor;
    }
    if (before.empty()) shape = {3, 0};
    if (random.once_in(3)) shape.push_back(1);
    const Dims wanted{std::span<const std::int64_t>(shape)};

    const std::optional<TensorLayout> made = reshaped(layout, wanted);
    if (made) {
      ++views;
      ASSERT_EQ(made->shape, wanted);
      ASSERT_EQ(places(*made), before);
    } else {
      ++refused;
      // If there were strides, the first step along each axis would be one: that candidate must be wrong.
      std::vector<std::int64_t> strides(shape.size());
      std::size_t inner = 1;
      for (std::size_t axis = shape.size(); axis-- > 0;) {
        strides[axis] = shape[axis] > 1 ? (before[inner] - before[0]) / 4 : 0;
        inner *= static_cast<std::size_t>(shape[axis]);
      }
      ASSERT_NE(places({layout.dtype, wanted, Dims(std::span<const std::int64_t>(strides))}), before)
          << to_string(layout.shape) << to_string(layout.strides) << " to " << to_string(wanted);
    }
  }
  EXPECT_GT(views, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(LayoutViewsTest, OneExtentMayBeLeftOpen) {
  EXPECT_EQ(resolved_shape({2, -1}, 6), (Dims{2, 3}));
  EXPECT_EQ(resolved_shape({-1}, 0), (Dims{0}));
  EXPECT_EQ(resolved_shape({-1}, 1), (Dims{1}));
  EXPECT_EQ(resolved_shape({}, 1), Dims{});
  EXPECT_EQ(resolved_shape({0, 5}, 0), (Dims{0, 5}));
  for (const Dims& shape : {Dims{-1, -1}, Dims{4, -1}, Dims{7}, Dims{-2, 3}, Dims{0, -1}, Dims{kMost, kMost}, Dims{}}) {
    EXPECT_EQ(code_thrown([&] { resolved_shape(shape, 6); }), ErrorCode::invalid_tensor) << to_string(shape);
  }
  EXPECT_EQ(code_thrown([] { resolved_shape({0, -1}, 0); }), ErrorCode::invalid_tensor) << "any extent would do";
}

TEST(LayoutViewsTest, AxesThatAreNotThereAreInvalidArgumentsEachTime) {
  const TensorLayout layout = row_major({2, 3}, DataType::float32);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { sliced(layout, 2, {}); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { sliced(layout, 0, {.step = 0}); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { selected(layout, 2, 0); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { selected(layout, 0, 2); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { selected(layout, 0, -3); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { selected(layout, 0, kLeast); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { expanded(layout, 3); }), ErrorCode::invalid_argument);
    for (const Dims& axes : {Dims{0}, Dims{0, 0}, Dims{0, 2}, Dims{0, -3}, Dims{0, 1, 2}, Dims{0, kLeast}}) {
      EXPECT_EQ(code_thrown([&] { transposed(layout, axes); }), ErrorCode::invalid_argument) << to_string(axes);
    }
  }
}

}  // namespace
}  // namespace remotemedia
