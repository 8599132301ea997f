// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/dims.h"

#include <gtest/gtest.h>

#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::code_thrown;

static_assert(std::is_nothrow_copy_constructible_v<Dims> && std::is_nothrow_copy_assignable_v<Dims>);

std::vector<std::int64_t> counted(std::size_t count) {
  std::vector<std::int64_t> values(count);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

TEST(DimsTest, HoldsWhatItWasMadeOf) {
  for (std::size_t count = 0; count <= kMaxRank; ++count) {
    const std::vector<std::int64_t> values = counted(count);
    const Dims dims{std::span<const std::int64_t>(values)};
    EXPECT_EQ(std::vector(dims.begin(), dims.end()), values);
    const Dims copy = dims;  // NOLINT: a copy is the subject
    EXPECT_EQ(copy, dims);
  }
}

TEST(DimsTest, AMovedFromOneIsEmpty) {
  for (const std::size_t count : {2U, 12U}) {
    const Dims all(std::span<const std::int64_t>(counted(count)));
    Dims dims = all;
    Dims moved = std::move(dims);
    EXPECT_EQ(moved, all);
    EXPECT_EQ(dims, Dims());  // NOLINT(bugprone-use-after-move): that is the claim
    dims = std::move(moved);
    EXPECT_EQ(dims, all);
    EXPECT_EQ(moved, Dims());  // NOLINT(bugprone-use-after-move): likewise
  }
}

TEST(DimsTest, MoreThan64AxesAreRefusedEachTime) {
  for (int time = 0; time < 2; ++time) {
    const std::vector<std::int64_t> values = counted(65);
    EXPECT_EQ(code_thrown([&] { Dims{std::span<const std::int64_t>(values)}; }), ErrorCode::invalid_tensor);
  }
}

TEST(DimsTest, ChangesMakeAnother) {
  for (const std::size_t count : {2U, 8U, 9U, 63U}) {
    const std::vector<std::int64_t> values = counted(count);
    const Dims dims{std::span<const std::int64_t>(values)};
    for (const std::size_t axis : {std::size_t{0}, count / 2, count - 1}) {
      std::vector<std::int64_t> expected = values;
      expected[axis] = 77;
      EXPECT_EQ(dims.with(axis, 77), Dims(std::span<const std::int64_t>(expected)));
      expected = values;
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(axis));
      EXPECT_EQ(dims.without(axis), Dims(std::span<const std::int64_t>(expected)));
      expected = values;
      expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 77);
      EXPECT_EQ(dims.with_inserted(axis + 1, 77), Dims(std::span<const std::int64_t>(expected)));
    }
    EXPECT_EQ(dims, Dims(std::span<const std::int64_t>(values)));
  }
}

TEST(DimsTest, AnAxisMoreThan64IsRefused) {
  const Dims most{std::span<const std::int64_t>(counted(64))};
  EXPECT_EQ(code_thrown([&] { most.with_inserted(0, 1); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(most.size(), 64U);
}

TEST(DimsTest, AreWrittenAsATuple) {
  EXPECT_EQ(to_string(Dims{}), "()");
  EXPECT_EQ(to_string(Dims{3}), "(3,)");
  EXPECT_EQ(to_string(Dims{3, -1}), "(3, -1)");
}

}  // namespace
}  // namespace remotemedia
