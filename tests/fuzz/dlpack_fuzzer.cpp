// SPDX-License-Identifier: Apache-2.0
//
// A DLPack struct of any content is viewed or refused, and freed exactly once. What is viewed and lies in the memory
// that is really there is copied, and exported again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"

using namespace remotemedia;

namespace {

constexpr std::size_t kMemory = 4096;
constexpr std::int64_t kMostToCopy = 1 << 20;

template <class Managed>
struct Counted {
  Managed managed{};
  int freed = 0;

  Counted() {
    managed.manager_ctx = this;
    managed.deleter = [](Managed* self) { ++static_cast<Counted*>(self->manager_ctx)->freed; };
  }
};

void use(const TensorBuffer& tensor, const std::byte* memory) {
  const LayoutSize size = checked(tensor.layout());
  testing::require(size.elements == static_cast<std::int64_t>(tensor.element_count()), "elements are counted");
  const TensorBuffer back = from_dlpack(to_dlpack(tensor.transpose()));
  testing::require(back.transpose().layout() == tensor.layout(), "it is exported as it was imported");
  testing::require(back.read_only() == tensor.read_only(), "and as writable");
  const auto offset = reinterpret_cast<std::uintptr_t>(tensor.data()) - reinterpret_cast<std::uintptr_t>(memory);
  if (size.elements == 0 || size.nbytes > kMostToCopy || !lies_within(size, offset, kMemory)) return;
  testing::require(tensor.copy().to_bytes() == tensor.to_bytes(), "a copy is equal");
}

template <class Managed>
void fuzz(Counted<Managed>& counted, const std::byte* memory) {
  try {
    const TensorBuffer tensor = from_dlpack(&counted.managed);
    testing::require(counted.freed == 0, "it is held while it is viewed");
    use(tensor, memory);
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::invalid_tensor || error.code() == ErrorCode::zero_copy_unavailable,
                     "it is refused with its code");
  }
  testing::require(counted.freed == 1, "it is freed exactly once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  const auto memory = std::make_unique<std::byte[]>(kMemory);
  std::array<std::int64_t, 64> shape{};
  std::array<std::int64_t, 64> strides{};

  const auto bits = input.take<std::uint8_t>();
  dlpack::DLTensor tensor{};
  if ((bits & 1) == 0) tensor.data = memory.get() + input.take<std::uint8_t>() * 8;
  tensor.device = {1 + (input.take<std::uint8_t>() % 16 == 15 ? 1 : 0), 0};
  tensor.dtype = {input.take<std::uint8_t>(), input.take<std::uint8_t>(),
                  static_cast<std::uint16_t>(1 + (input.take<std::uint8_t>() % 16 == 15 ? 1 : 0))};
  // Never more axes than the arrays have: a producer that lies about that cannot be found out.
  const auto ndim = input.take<std::int8_t>();
  tensor.ndim = ndim > 64 ? ndim * 1000 : ndim;
  tensor.byte_offset = input.take<std::uint16_t>();
  if ((bits & 2) != 0) tensor.byte_offset = input.take<std::uint64_t>();
  const bool small = (bits & 4) == 0;
  for (std::size_t axis = 0; axis < 64 && static_cast<std::int32_t>(axis) < tensor.ndim; ++axis) {
    shape[axis] = small ? input.take<std::int8_t>() % 8 : input.take<std::int64_t>();
    strides[axis] = small ? input.take<std::int8_t>() : input.take<std::int64_t>();
  }
  tensor.shape = (bits & 8) != 0 ? nullptr : shape.data();
  tensor.strides = (bits & 16) != 0 ? nullptr : strides.data();

  if ((bits & 32) != 0) {
    Counted<dlpack::DLManagedTensor> legacy;
    legacy.managed.dl_tensor = tensor;
    fuzz(legacy, memory.get());
  } else {
    Counted<dlpack::DLManagedTensorVersioned> versioned;
    versioned.managed.version = {(bits & 64) != 0 ? input.take<std::uint32_t>() : 1, input.take<std::uint8_t>()};
    versioned.managed.flags = input.take<std::uint8_t>();
    versioned.managed.dl_tensor = tensor;
    fuzz(versioned, memory.get());
  }
  return 0;
}
