// SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using dlpack::DLManagedTensor;
using dlpack::DLManagedTensorVersioned;
using testing::code_thrown;

struct Free {
  template <class Managed>
  void operator()(Managed* managed) const {
    managed->deleter(managed);
  }
};
template <class Managed>
using Owned = std::unique_ptr<Managed, Free>;

Owned<DLManagedTensorVersioned> exported(const TensorBuffer& tensor, DlpackCopied copied = DlpackCopied::no) {
  return Owned<DLManagedTensorVersioned>(to_dlpack(tensor, copied));
}

std::vector<std::int64_t> numbers(const std::int64_t* from, std::int32_t count) { return {from, from + count}; }

TEST(DlpackExportTest, DescribesTheTensorInPlace) {
  const TensorBuffer tensor = TensorBuffer::allocate({2, 3}, DataType::bfloat16);
  const auto managed = exported(tensor);
  const dlpack::DLTensor& dl = managed->dl_tensor;
  EXPECT_EQ(managed->version.major, 1U);
  EXPECT_EQ(managed->flags, 0U);
  EXPECT_EQ(dl.data, tensor.data());
  EXPECT_EQ(dl.byte_offset, 0U);
  EXPECT_EQ(dl.device.device_type, 1);
  EXPECT_EQ(dl.device.device_id, 0);
  EXPECT_EQ(dl.dtype.code, 4);
  EXPECT_EQ(dl.dtype.bits, 16);
  EXPECT_EQ(dl.dtype.lanes, 1);
  ASSERT_EQ(dl.ndim, 2);
  EXPECT_EQ(numbers(dl.shape, 2), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(numbers(dl.strides, 2), (std::vector<std::int64_t>{3, 1}));
}

TEST(DlpackExportTest, StridesAreThereForEveryTensorWithAxes) {
  const TensorBuffer ones = TensorBuffer::allocate({1, 1}, DataType::int8);
  EXPECT_NE(exported(ones)->dl_tensor.strides, nullptr);
  const TensorBuffer view = TensorBuffer::allocate({4, 3}, DataType::int8).slice(0, {.step = -1}).transpose();
  const auto managed = exported(view);
  EXPECT_EQ(managed->dl_tensor.data, view.data()) << "element 0, not the lowest address";
  EXPECT_EQ(numbers(managed->dl_tensor.strides, 2), (std::vector<std::int64_t>{1, -3}));
}

TEST(DlpackExportTest, AScalarHasDataAndNoAxes) {
  const auto managed = exported(TensorBuffer::allocate({}, DataType::float64));
  EXPECT_EQ(managed->dl_tensor.ndim, 0);
  EXPECT_NE(managed->dl_tensor.data, nullptr);
}

TEST(DlpackExportTest, WithoutElementsThereIsNoData) {
  const auto managed = exported(TensorBuffer::allocate({3, 0}, DataType::float64));
  EXPECT_EQ(managed->dl_tensor.data, nullptr);
  EXPECT_EQ(numbers(managed->dl_tensor.shape, 2), (std::vector<std::int64_t>{3, 0}));
}

TEST(DlpackExportTest, FlagsSayReadOnlyAndCopied) {
  const TensorBuffer tensor = TensorBuffer::allocate({1}, DataType::int8);
  EXPECT_EQ(exported(tensor.as_read_only())->flags, dlpack::kReadOnly);
  EXPECT_EQ(exported(tensor, DlpackCopied::yes)->flags, dlpack::kIsCopied);
}

TEST(DlpackExportTest, ShapeAndStridesAreTheReceiversOwn) {
  const TensorBuffer tensor = TensorBuffer::allocate({2, 3}, DataType::int8);
  const auto managed = exported(tensor);
  managed->dl_tensor.shape[0] = 1000;
  managed->dl_tensor.strides[0] = 1000;
  EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
  EXPECT_EQ(exported(tensor)->dl_tensor.shape[0], 2);
}

TEST(DlpackExportTest, AReadOnlyTensorIsNotPutIntoAStructThatCannotSaySo) {
  const TensorBuffer tensor = TensorBuffer::allocate({2}, DataType::int8);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { to_dlpack_legacy(tensor.as_read_only()); }), ErrorCode::zero_copy_unavailable);
  }
  const Owned<DLManagedTensor> managed(to_dlpack_legacy(tensor));
  EXPECT_EQ(managed->dl_tensor.data, tensor.data());
}

TEST(DlpackExportTest, AnEmptyBufferIsRefusedEachTime) {
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([] { to_dlpack({}); }), ErrorCode::invalid_tensor);
    EXPECT_EQ(code_thrown([] { to_dlpack_legacy({}); }), ErrorCode::invalid_tensor);
  }
}

TEST(DlpackExportTest, TheReceiverHoldsTheElementsUntilTheDeleterIsCalledOnAnyThread) {
  std::array<std::int32_t, 4> memory{};
  auto owner = std::make_shared<int>(0);
  const std::weak_ptr<void> alive = owner;
  Owned<DLManagedTensorVersioned> versioned;
  Owned<DLManagedTensor> legacy;
  {
    const TensorBuffer tensor =
        TensorBuffer::from_foreign(memory.data(), {4}, DataType::int32, std::move(owner), false);
    versioned = exported(tensor);
    legacy.reset(to_dlpack_legacy(tensor.slice(0, {.begin = 1})));
  }
  EXPECT_EQ(static_cast<std::int32_t*>(legacy->dl_tensor.data), memory.data() + 1);
  std::jthread([&] { versioned.reset(); }).join();
  EXPECT_FALSE(alive.expired()) << "the other one holds them too";
  std::jthread([&] { legacy.reset(); }).join();
  EXPECT_TRUE(alive.expired());
}

TEST(DlpackExportTest, EveryDataTypeAndManyAxesComeBackAsTheyWent) {
  for (const DataTypeInfo& info : kDataTypes) {
    if (info.dlpack_bits == 0) continue;
    TensorBuffer tensor = TensorBuffer::allocate({2, 3}, info.type);
    while (tensor.shape().size() < 12) tensor = tensor.expand_dims(0);
    const TensorBuffer back = from_dlpack(to_dlpack(tensor));
    EXPECT_EQ(back.layout(), tensor.layout()) << info.name;
    EXPECT_EQ(back.data(), tensor.data()) << info.name;
    EXPECT_FALSE(back.read_only()) << info.name;
    EXPECT_EQ(back.storage(), StorageKind::foreign);
    EXPECT_TRUE(from_dlpack(to_dlpack_legacy(tensor)).read_only()) << "that struct cannot say that it may be written";
  }
}

}  // namespace
}  // namespace remotemedia
