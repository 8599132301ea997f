// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <complex>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "testing/random_source.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using testing::RandomSource;
using testing::thrown;

static_assert(std::is_nothrow_copy_constructible_v<TensorBuffer> && std::is_nothrow_move_constructible_v<TensorBuffer>);
static_assert(std::is_nothrow_destructible_v<TensorBuffer>);

TensorBuffer counting(const Dims& shape) {
  TensorBuffer tensor = TensorBuffer::allocate(shape, DataType::int32);
  const std::span<std::int32_t> elements = tensor.span<std::int32_t>();
  std::iota(elements.begin(), elements.end(), 0);
  return tensor;
}

std::vector<std::int32_t> values(const TensorBuffer& tensor) {
  const std::vector<std::byte> bytes = tensor.to_bytes();
  std::vector<std::int32_t> numbers(bytes.size() / sizeof(std::int32_t));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

TEST(TensorBufferTest, AnEmptyOneHasNothingAndSaysSoEachTime) {
  const TensorBuffer empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.data(), nullptr);
  EXPECT_EQ(empty.element_count(), 0U);
  EXPECT_EQ(empty.nbytes(), 0U);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { empty.span<const std::uint8_t>(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.to_bytes(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.slice(0, {}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.reshape({1}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.copy(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.as_read_only(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.mutable_data(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.to_shared_memory(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { empty.assign(empty); }), ErrorCode::invalid_tensor);
  }
}

TEST(TensorBufferTest, AMovedFromOneIsEmpty) {
  TensorBuffer tensor = counting({2, 3});
  const TensorBuffer moved = std::move(tensor);
  EXPECT_FALSE(tensor);  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_EQ(tensor.element_count(), 0U);
  EXPECT_EQ(tensor.shape(), Dims{});
  EXPECT_TRUE(tensor.read_only());
  EXPECT_EQ(moved.element_count(), 6U);
}

TEST(TensorBufferTest, NewMemoryIsRowMajorAlignedAndWritable) {
  const TensorBuffer tensor = TensorBuffer::allocate({3, 5}, DataType::float64);
  EXPECT_EQ(tensor.shape(), (Dims{3, 5}));
  EXPECT_EQ(tensor.strides(), (Dims{5, 1}));
  EXPECT_EQ(tensor.dtype(), DataType::float64);
  EXPECT_EQ(tensor.nbytes(), 120U);
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_FALSE(tensor.read_only());
  EXPECT_EQ(tensor.storage(), StorageKind::heap);
  EXPECT_EQ(to_string(tensor.storage()), "heap");
  EXPECT_EQ(tensor.device(), Device{});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 256, 0U);
  tensor.span<double>()[14] = 1.5;
  EXPECT_EQ(tensor.span<const double>()[14], 1.5);
}

TEST(TensorBufferTest, ScalarsAndTensorsWithoutElementsHaveAnAddress) {
  const TensorBuffer scalar = TensorBuffer::allocate({}, DataType::int16);
  EXPECT_EQ(scalar.element_count(), 1U);
  EXPECT_EQ(scalar.nbytes(), 2U);
  scalar.span<std::int16_t>()[0] = 7;
  const TensorBuffer none = TensorBuffer::allocate({4, 0}, DataType::int16);
  EXPECT_TRUE(none);
  EXPECT_NE(none.data(), nullptr);
  EXPECT_EQ(none.span<std::int16_t>().size(), 0U);
  EXPECT_TRUE(none.to_bytes().empty());
  EXPECT_TRUE(none.copy());
}

TEST(TensorBufferTest, SizesThatCannotBeAreRefusedEachTime) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (int time = 0; time < 2; ++time) {
    for (const Dims& shape : {Dims{-1}, Dims{kMost, kMost}, Dims{kMost}, Dims{0, kMost, 2}}) {
      EXPECT_EQ(code_thrown([&] { TensorBuffer::allocate(shape, DataType::int16); }), ErrorCode::invalid_tensor);
    }
    EXPECT_EQ(code_thrown([] { TensorBuffer::allocate({1}, DataType::bytes); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { TensorBuffer::allocate({kMost}, DataType::int8); }), ErrorCode::out_of_memory);
  }
}

TEST(TensorBufferTest, BytesAreCopiedAndMustBeAsManyAsTheShapeTakes) {
  std::array<std::byte, 6> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}};
  const TensorBuffer tensor = TensorBuffer::from_bytes(bytes, {3}, DataType::uint16);
  bytes[0] = std::byte{9};
  EXPECT_EQ(tensor.span<const std::uint16_t>()[0], 0x0201);
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown([&] { TensorBuffer::from_bytes(bytes, {4}, DataType::uint16); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_tensor);
    EXPECT_STREQ(error.what(), "6 bytes for a uint16 tensor of shape (4,), which takes 8");
  }
  EXPECT_TRUE(TensorBuffer::from_bytes({}, {0}, DataType::uint16));
}

TEST(TensorBufferTest, SpansAreOfTheElementsOwnType) {
  const TensorBuffer half = TensorBuffer::allocate({2}, DataType::bfloat16);
  EXPECT_EQ(half.span<std::uint16_t>().size(), 2U);
  EXPECT_EQ(code_thrown([&] { half.span<std::int16_t>(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { half.span<float>(); }), ErrorCode::invalid_tensor);
  const TensorBuffer flags = TensorBuffer::allocate({2}, DataType::boolean);
  flags.span<std::uint8_t>()[0] = 2;
  flags.span<bool>()[1] = true;
  EXPECT_EQ(flags.span<const std::uint8_t>()[0], 2);
  const TensorBuffer complex = TensorBuffer::allocate({2}, DataType::complex64);
  EXPECT_EQ(complex.span<std::complex<float>>().size(), 2U);
}

TEST(TensorBufferTest, SpansNeedElementsInOneRun) {
  const TensorBuffer tensor = counting({4, 4});
  EXPECT_EQ(code_thrown([&] { tensor.transpose().span<std::int32_t>(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(code_thrown([&] { tensor.slice(1, {.end = 2}).span<std::int32_t>(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(tensor.slice(0, {.begin = 1, .end = 3}).span<std::int32_t>()[0], 4);
}

TEST(TensorBufferTest, SpansNeedAnAlignedAddress) {
  alignas(8) std::array<std::byte, 24> memory{};
  const TensorBuffer odd = TensorBuffer::from_foreign(memory.data() + 4, {2}, DataType::float64, nullptr, false);
  EXPECT_EQ(code_thrown([&] { odd.span<double>(); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(odd.copy().span<double>().size(), 2U);
  const TensorBuffer halves = TensorBuffer::from_foreign(memory.data() + 4, {2}, DataType::complex64, nullptr, false);
  EXPECT_EQ(halves.span<std::complex<float>>().size(), 2U) << "a complex number is aligned as its half";
}

TEST(TensorBufferTest, ReadOnlyElementsAreReadAndNotWritten) {
  const TensorBuffer tensor = counting({3}).as_read_only();
  EXPECT_TRUE(tensor.read_only());
  EXPECT_EQ(tensor.span<const std::int32_t>()[2], 2);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { tensor.span<std::int32_t>(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { tensor.mutable_data(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { tensor.assign(counting({3})); }), ErrorCode::invalid_tensor);
  }
  EXPECT_TRUE(tensor.slice(0, {.end = 1}).read_only()) << "nor through a view";
  EXPECT_FALSE(tensor.copy().read_only());
}

TEST(TensorBufferTest, AViewOfABlockMayNotReachBeyondIt) {
  const MemoryBlock block = allocate_heap_block(64);
  const TensorBuffer whole = TensorBuffer::view_of(block, 0, {DataType::int32, {16}, {1}});
  EXPECT_EQ(whole.data(), block.data());
  EXPECT_EQ(whole.block(), block);
  EXPECT_TRUE(TensorBuffer::view_of(block, 60, {DataType::int32, {16}, {-1}}));
  EXPECT_TRUE(TensorBuffer::view_of(block, 60, {DataType::int32, {1000}, {0}}));
  EXPECT_TRUE(TensorBuffer::view_of(block, 64, {DataType::int32, {0}, {1}}));
  for (int time = 0; time < 2; ++time) {
    for (const auto& [offset, extent, stride] : {std::array<std::int64_t, 3>{0, 17, 1},
                                                 {4, 16, 1},
                                                 {0, 2, -1},
                                                 {56, 16, -1},
                                                 {64, 1, 1},
                                                 {65, 0, 1},
                                                 {0, 2, 16},
                                                 {-4, 1, 1}}) {
      EXPECT_EQ(code_thrown([&, o = offset, e = extent, s = stride] {
                  TensorBuffer::view_of(block, static_cast<std::size_t>(o), {DataType::int32, {e}, {s}});
                }),
                ErrorCode::invalid_tensor)
          << offset << " " << extent << " " << stride;
    }
    EXPECT_EQ(code_thrown([] { TensorBuffer::view_of({}, 0, {DataType::int32, {}, {}}); }), ErrorCode::invalid_tensor);
  }
}

TEST(TensorBufferTest, AHeaderThatClaims64MiBOver4KiBIsAnError) {
  const MemoryBlock block = allocate_heap_block(4096);
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown([&] { TensorBuffer::view_of(block, 0, row_major({64 << 20}, DataType::uint8)); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_tensor);
    EXPECT_STREQ(error.what(),
                 "a uint8 tensor of shape (67108864,) with strides (1,) and element 0 at byte 0 reaches beyond its "
                 "memory of 4096 bytes");
  }
}

TEST(TensorBufferTest, ForeignMemoryIsKeptUntilTheLastViewGoes) {
  auto memory = std::make_shared<std::vector<std::int32_t>>(std::vector<std::int32_t>{1, 2, 3, 4, 5, 6});
  const std::weak_ptr<void> alive = memory;
  std::int32_t* const last = memory->data() + 5;
  TensorBuffer view;
  {
    const TensorBuffer tensor =
        TensorBuffer::from_foreign(last, {3}, DataType::int32, std::move(memory), true, Dims{-2});
    EXPECT_EQ(values(tensor), (std::vector<std::int32_t>{6, 4, 2}));
    EXPECT_EQ(tensor.storage(), StorageKind::foreign);
    EXPECT_TRUE(tensor.read_only());
    view = tensor.select(0, 1);
  }
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(values(view), (std::vector<std::int32_t>{4}));
  view = {};
  EXPECT_TRUE(alive.expired());
}

TEST(TensorBufferTest, ForeignMemoryThatIsRefusedIsLetGoEachTime) {
  for (int time = 0; time < 2; ++time) {
    auto owner = std::make_shared<int>(0);
    const std::weak_ptr<void> alive = owner;
    EXPECT_EQ(code_thrown([&] { TensorBuffer::from_foreign(nullptr, {3}, DataType::int32, std::move(owner), false); }),
              ErrorCode::invalid_tensor);
    EXPECT_TRUE(alive.expired());
  }
  int element = 0;
  EXPECT_EQ(code_thrown([&] {
              TensorBuffer::from_foreign(&element, {2}, DataType::int32, nullptr, false,
                                         Dims{std::numeric_limits<std::int64_t>::min() / 4});
            }),
            ErrorCode::invalid_tensor)
      << "no address is that low";
  EXPECT_EQ(code_thrown([&] {
              TensorBuffer::from_foreign(&element, {2}, DataType::int32, nullptr, false, Dims{1, 1});
            }),
            ErrorCode::invalid_tensor);
}

TEST(TensorBufferTest, ForeignMemoryWithoutElementsNeedsNoAddress) {
  const TensorBuffer none = TensorBuffer::from_foreign(nullptr, {0, 3}, DataType::int32, nullptr, false);
  EXPECT_TRUE(none);
  EXPECT_NE(none.data(), nullptr);
  EXPECT_EQ(none.span<std::int32_t>().size(), 0U);
}

TEST(TensorBufferTest, MemoryOfADeviceIsNotReadByTheProcessor) {
  std::array<float, 4> pretended{};
  const TensorBuffer tensor = TensorBuffer::from_foreign(pretended.data(), {4}, DataType::float32, nullptr, false,
                                                         std::nullopt, Device{DeviceType::cuda, 1});
  EXPECT_EQ(tensor.storage(), StorageKind::gpu);
  EXPECT_EQ(tensor.device(), (Device{DeviceType::cuda, 1}));
  EXPECT_EQ(tensor.slice(0, {.end = 2}).device(), tensor.device());
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { tensor.span<float>(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { tensor.to_bytes(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { tensor.copy(); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] { tensor.to_shared_memory(); }), ErrorCode::invalid_tensor);
  }
}

TEST(TensorBufferTest, CopiesAreRowMajorAndApart) {
  const TensorBuffer tensor = counting({2, 3});
  const TensorBuffer copy = tensor.transpose().copy();
  EXPECT_TRUE(copy.is_contiguous());
  EXPECT_EQ(copy.shape(), (Dims{3, 2}));
  EXPECT_EQ(values(copy), (std::vector<std::int32_t>{0, 3, 1, 4, 2, 5}));
  tensor.span<std::int32_t>()[0] = 99;
  EXPECT_EQ(values(copy)[0], 0);
}

/// Elements one by one, however they lie.
std::byte* element(const TensorBuffer& tensor, std::size_t index) {
  std::int64_t at = 0;
  for (std::size_t axis = tensor.shape().size(); axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(tensor.shape()[axis]);
    at += static_cast<std::int64_t>(index % extent) * tensor.strides()[axis];
    index /= extent;
  }
  return const_cast<std::byte*>(tensor.data()) + at * static_cast<std::int64_t>(itemsize(tensor.dtype()));
}

TEST(TensorBufferTest, AssignmentCopiesWhateverTheStridesAndOverlaps) {
  RandomSource random;
  SCOPED_TRACE(random.trace());
  constexpr std::array kTypes{DataType::uint8, DataType::int16, DataType::float32, DataType::float64,
                              DataType::complex128};
  for (int i = 0; i < 20'000; ++i) {
    const DataType dtype = kTypes[random.below(kTypes.size())];
    const std::size_t item = itemsize(dtype);
    const TensorBuffer memory = TensorBuffer::allocate({static_cast<std::int64_t>(600 * item)}, DataType::uint8);
    for (std::uint8_t& byte : memory.span<std::uint8_t>()) byte = static_cast<std::uint8_t>(random.bits());

    const std::size_t rank = random.below(4);
    std::array<std::int64_t, 3> extents{};
    for (std::int64_t& extent : extents) extent = random.between(random.once_in(8) ? 0 : 1, 4);
    const Dims shape{std::span<const std::int64_t>(extents).first(rank)};
    const auto laid_out = [&] {
      // Row-major, transposed, reversed or stepped over, somewhere in the memory.
      TensorLayout layout = row_major(shape, dtype);
      for (std::size_t axis = 0; axis < rank; ++axis) {
        if (random.once_in(3)) layout.strides = layout.strides.with(axis, -layout.strides[axis]);
        if (random.once_in(4)) layout.strides = layout.strides.with(axis, layout.strides[axis] * 3);
      }
      const LayoutSize size = checked(layout);
      const auto room = static_cast<std::int64_t>(600 * item) - size.end;
      std::int64_t at = random.between(-size.begin, room);
      at -= random.once_in(2) ? 0 : at % static_cast<std::int64_t>(item);
      return TensorBuffer::view_of(memory.block(), static_cast<std::size_t>(std::max(at, -size.begin)), layout);
    };
    const TensorBuffer to = laid_out();
    const TensorBuffer from = laid_out();
    if (to.strides().size() > 1 && to.element_count() > 1) {
      // Elements of the target that lie on each other have no defined winner.
      std::vector<std::byte*> addresses;
      for (std::size_t e = 0; e < to.element_count(); ++e) addresses.push_back(element(to, e));
      std::sort(addresses.begin(), addresses.end());
      bool apart = true;
      for (std::size_t e = 1; e < addresses.size(); ++e) {
        apart = apart && addresses[e] - addresses[e - 1] >= static_cast<std::ptrdiff_t>(item);
      }
      if (!apart) continue;
    }
    const std::vector<std::byte> expected = from.to_bytes();
    for (std::size_t e = 0; e < from.element_count(); ++e) {
      ASSERT_EQ(std::memcmp(expected.data() + e * item, element(from, e), item), 0);
    }
    std::vector<std::byte> before = memory.to_bytes();
    to.assign(from);
    ASSERT_EQ(to.to_bytes(), expected) << to_string(shape) << to_string(to.strides()) << to_string(from.strides());
    // Nothing else has changed.
    for (std::size_t e = 0; e < to.element_count(); ++e) {
      std::memcpy(before.data() + (element(to, e) - memory.data()), expected.data() + e * item, item);
    }
    ASSERT_EQ(memory.to_bytes(), before);
  }
}

TEST(TensorBufferTest, AssignmentNeedsTheSameShapeAndTypeEachTime) {
  const TensorBuffer tensor = counting({2, 3});
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { tensor.assign(counting({3, 2})); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([&] {
                tensor.assign(TensorBuffer::allocate({2, 3}, DataType::float32));
              }),
              ErrorCode::invalid_tensor);
  }
  EXPECT_EQ(values(tensor), (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
}

TEST(TensorBufferTest, CopiesMayComeAndGoOnManyThreads) {
  auto owner = std::make_shared<int>(0);
  const std::weak_ptr<void> alive = owner;
  {
    std::array<std::int32_t, 12> memory{};
    const TensorBuffer tensor =
        TensorBuffer::from_foreign(memory.data(), {3, 4}, DataType::int32, std::move(owner), false);
    testing::together(4, [&](std::size_t) {
      for (int i = 0; i < 10'000; ++i) {
        const TensorBuffer copy = tensor;  // NOLINT: a copy is the subject
        const TensorBuffer view = copy.transpose().select(0, i % 4);
        EXPECT_EQ(view.element_count(), 3U);
      }
    });
    EXPECT_FALSE(alive.expired());
  }
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace remotemedia
