// SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using dlpack::DLManagedTensor;
using dlpack::DLManagedTensorVersioned;
using dlpack::DLTensor;
using testing::code_thrown;
using testing::thrown;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// Somebody else's tensor of 2 x 3 floats, which counts how often it is freed.
class Producer {
 public:
  Producer() {
    versioned_.version = {1, 0};
    versioned_.manager_ctx = this;
    versioned_.deleter = [](DLManagedTensorVersioned* self) { ++static_cast<Producer*>(self->manager_ctx)->freed_; };
    versioned_.flags = 0;
    versioned_.dl_tensor = tensor();
    legacy_.manager_ctx = this;
    legacy_.deleter = [](DLManagedTensor* self) { ++static_cast<Producer*>(self->manager_ctx)->freed_; };
    legacy_.dl_tensor = tensor();
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  DLManagedTensorVersioned* versioned() { return &versioned_; }
  DLManagedTensor* legacy() { return &legacy_; }
  int freed() const { return freed_; }
  float* data() { return data_.data(); }
  std::int64_t* shape() { return shape_.data(); }
  std::int64_t* strides() { return strides_.data(); }

 private:
  DLTensor tensor() { return {data_.data(), {1, 0}, 2, {2, 32, 1}, shape_.data(), strides_.data(), 0}; }

  std::array<float, 8> data_{0, 1, 2, 3, 4, 5, 6, 7};
  std::array<std::int64_t, 65> shape_{2, 3};
  std::array<std::int64_t, 65> strides_{3, 1};
  DLManagedTensorVersioned versioned_{};
  DLManagedTensor legacy_{};
  int freed_ = 0;
};

TEST(DlpackImportTest, ViewsWithoutACopyAndFreesOnceAfterTheLastView) {
  Producer producer;
  {
    TensorBuffer view;
    {
      const TensorBuffer tensor = from_dlpack(producer.versioned());
      EXPECT_EQ(tensor.data(), reinterpret_cast<std::byte*>(producer.data()));
      EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
      EXPECT_EQ(tensor.dtype(), DataType::float32);
      EXPECT_EQ(tensor.storage(), StorageKind::foreign);
      EXPECT_FALSE(tensor.read_only());
      tensor.span<float>()[5] = 50;
      view = tensor.select(0, 1);
    }
    EXPECT_EQ(producer.freed(), 0);
    EXPECT_EQ(view.span<const float>()[2], 50);
  }
  EXPECT_EQ(producer.freed(), 1);
}

TEST(DlpackImportTest, ReadOnlyIsRespectedAndAssumedWhereItCannotBeSaid) {
  Producer producer;
  producer.versioned()->flags = dlpack::kReadOnly;
  EXPECT_TRUE(from_dlpack(producer.versioned()).read_only());
  producer.versioned()->flags = dlpack::kIsCopied;
  EXPECT_FALSE(from_dlpack(producer.versioned()).read_only());
  EXPECT_TRUE(from_dlpack(producer.legacy()).read_only());
  EXPECT_EQ(producer.freed(), 3);
}

TEST(DlpackImportTest, StridesMayBeLeftOut) {
  Producer producer;
  producer.versioned()->dl_tensor.strides = nullptr;
  EXPECT_EQ(from_dlpack(producer.versioned()).strides(), (Dims{3, 1}));
}

TEST(DlpackImportTest, NegativeAndZeroStridesAndTheByteOffsetAreRespected) {
  Producer producer;
  producer.strides()[0] = 0;
  producer.strides()[1] = -1;
  producer.versioned()->dl_tensor.byte_offset = 2 * sizeof(float);
  const TensorBuffer tensor = from_dlpack(producer.versioned());
  EXPECT_EQ(tensor.data(), reinterpret_cast<std::byte*>(producer.data() + 2));
  EXPECT_EQ(tensor.strides(), (Dims{0, -1}));
  EXPECT_EQ(tensor.copy().span<const float>()[5], 0);
}

TEST(DlpackImportTest, ScalarsNeedNoShape) {
  Producer producer;
  producer.versioned()->dl_tensor.ndim = 0;
  producer.versioned()->dl_tensor.shape = nullptr;
  producer.versioned()->dl_tensor.strides = nullptr;
  EXPECT_EQ(from_dlpack(producer.versioned()).element_count(), 1U);
}

TEST(DlpackImportTest, WithoutElementsNoDataIsNeeded) {
  Producer producer;
  producer.shape()[0] = 0;
  producer.versioned()->dl_tensor.data = nullptr;
  producer.versioned()->dl_tensor.byte_offset = 999;
  const TensorBuffer tensor = from_dlpack(producer.versioned());
  EXPECT_TRUE(tensor);
  EXPECT_EQ(tensor.element_count(), 0U);
}

TEST(DlpackImportTest, PinnedAndManagedMemoryIsTheProcessorsToo) {
  for (const std::int32_t device : {1, 3, 11, 13}) {
    Producer producer;
    producer.versioned()->dl_tensor.device.device_type = device;
    EXPECT_EQ(from_dlpack(producer.versioned()).span<const float>()[1], 1) << device;
  }
}

TEST(DlpackImportTest, AnotherMinorVersionIsRead) {
  Producer producer;
  producer.versioned()->version.minor = 99;
  EXPECT_TRUE(from_dlpack(producer.versioned()));
}

TEST(DlpackImportTest, OfAnotherMajorVersionOnlyTheDeleterIsUsed) {
  Producer producer;
  for (int time = 1; time <= 2; ++time) {
    producer.versioned()->version.major = 2;
    // Whoever follows one of these dies here.
    producer.versioned()->flags = std::numeric_limits<std::uint64_t>::max();
    producer.versioned()->dl_tensor = {
        reinterpret_cast<void*>(8),         {1, 0}, 5, {2, 32, 1}, reinterpret_cast<std::int64_t*>(8),
        reinterpret_cast<std::int64_t*>(8), 8};
    EXPECT_EQ(code_thrown([&] { from_dlpack(producer.versioned()); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(producer.freed(), time);
  }
}

TEST(DlpackImportTest, WithoutADeleterNothingIsFreed) {
  Producer producer;
  producer.versioned()->deleter = nullptr;
  producer.legacy()->deleter = nullptr;
  EXPECT_TRUE(from_dlpack(producer.versioned()));
  EXPECT_TRUE(from_dlpack(producer.legacy()));
  producer.legacy()->dl_tensor.ndim = -1;
  EXPECT_EQ(code_thrown([&] { from_dlpack(producer.legacy()); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(producer.freed(), 0);
}

TEST(DlpackImportTest, NullptrIsAnInvalidArgument) {
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([] { from_dlpack(static_cast<DLManagedTensorVersioned*>(nullptr)); }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([] { from_dlpack(static_cast<DLManagedTensor*>(nullptr)); }), ErrorCode::invalid_argument);
  }
}

struct Lie {
  const char* name;
  std::function<void(DLTensor&)> tell;
};

TEST(DlpackImportTest, EachLieIsRefusedAndFreedExactlyOnceEachTime) {
  const std::vector<Lie> lies{
      {"ndim -1", [](DLTensor& t) { t.ndim = -1; }},
      {"ndim 65", [](DLTensor& t) { t.ndim = 65; }},
      {"ndim 2^31-1", [](DLTensor& t) { t.ndim = std::numeric_limits<std::int32_t>::max(); }},
      {"no shape", [](DLTensor& t) { t.shape = nullptr; }},
      {"a negative extent", [](DLTensor& t) { t.shape[0] = -2; }},
      {"two negative extents", [](DLTensor& t) { t.shape[0] = -2, t.shape[1] = -3; }},
      {"extents that wrap", [](DLTensor& t) { t.shape[0] = t.shape[1] = std::int64_t{1} << 32; }},
      {"extents that wrap, without strides",
       [](DLTensor& t) { t.shape[0] = t.shape[1] = std::int64_t{1} << 32, t.strides = nullptr; }},
      {"a stride that wraps", [](DLTensor& t) { t.strides[0] = kMost; }},
      {"beyond all addresses", [](DLTensor& t) { t.strides[0] = -(std::int64_t{1} << 60); }},
      {"no data", [](DLTensor& t) { t.data = nullptr; }},
      {"an offset without data", [](DLTensor& t) { t.data = nullptr, t.byte_offset = 4096; }},
      {"an offset that wraps", [](DLTensor& t) { t.byte_offset = std::numeric_limits<std::uint64_t>::max(); }},
      {"0 lanes", [](DLTensor& t) { t.dtype.lanes = 0; }},
      {"4 lanes", [](DLTensor& t) { t.dtype.lanes = 4; }},
      {"a handle's type",
       [](DLTensor& t) {
         t.dtype = {3, 64, 1};
       }},
      {"an unknown type",
       [](DLTensor& t) {
         t.dtype = {200, 32, 1};
       }},
      {"31 bits", [](DLTensor& t) { t.dtype.bits = 31; }},
      {"0 bits", [](DLTensor& t) { t.dtype.bits = 0; }},
      {"float4",
       [](DLTensor& t) {
         t.dtype = {17, 4, 1};
       }},
      {"float4 in pairs",
       [](DLTensor& t) {
         t.dtype = {17, 4, 2};
       }},
      {"float6",
       [](DLTensor& t) {
         t.dtype = {15, 6, 1};
       }},
      {"uint1",
       [](DLTensor& t) {
         t.dtype = {1, 1, 1};
       }},
  };
  for (const Lie& lie : lies) {
    for (int time = 0; time < 2; ++time) {
      Producer producer;
      lie.tell(producer.versioned()->dl_tensor);
      EXPECT_EQ(code_thrown([&] { from_dlpack(producer.versioned()); }), ErrorCode::invalid_tensor) << lie.name;
      EXPECT_EQ(producer.freed(), 1) << lie.name;
    }
    Producer producer;
    lie.tell(producer.legacy()->dl_tensor);
    EXPECT_EQ(code_thrown([&] { from_dlpack(producer.legacy()); }), ErrorCode::invalid_tensor) << lie.name;
    EXPECT_EQ(producer.freed(), 1) << lie.name;
  }
}

TEST(DlpackImportTest, MemoryOfAGpuIsRefusedByName) {
  for (int time = 0; time < 2; ++time) {
    Producer producer;
    producer.versioned()->dl_tensor.device = {2, 1};
    const Error error = thrown([&] { from_dlpack(producer.versioned()); });
    EXPECT_EQ(error.code(), ErrorCode::zero_copy_unavailable);
    EXPECT_STREQ(error.what(), "a DLPack tensor on device cuda:1: have it copied to the processor's memory first");
    EXPECT_EQ(producer.freed(), 1);
  }
  Producer producer;
  producer.versioned()->dl_tensor.device = {77, 0};
  EXPECT_EQ(code_thrown([&] { from_dlpack(producer.versioned()); }), ErrorCode::zero_copy_unavailable);
  EXPECT_EQ(producer.freed(), 1);
}

TEST(DlpackImportTest, SixtyFourAxesAreRead) {
  Producer producer;
  for (std::size_t axis = 2; axis < 64; ++axis) producer.shape()[axis] = producer.strides()[axis] = 1;
  producer.versioned()->dl_tensor.ndim = 64;
  EXPECT_EQ(from_dlpack(producer.versioned()).shape().size(), 64U);
  EXPECT_EQ(producer.freed(), 1);
}

}  // namespace
}  // namespace remotemedia
