// SPDX-License-Identifier: Apache-2.0

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"

namespace remotemedia {
namespace {

/// Calls the deleter once.
struct Deleter {
  template <class Managed>
  void operator()(Managed* managed) const noexcept {
    if (managed->deleter != nullptr) managed->deleter(managed);
  }
};

Error refusal(const std::string& why) { return {ErrorCode::invalid_tensor, "a DLPack tensor " + why}; }

DataType dtype_of(const dlpack::DLDataType& dtype) {
  const std::string written = "of type code " + std::to_string(dtype.code) + ", " + std::to_string(dtype.bits) +
                              " bits, " + std::to_string(dtype.lanes) + " lanes";
  if (dtype.lanes != 1) throw refusal(written + ": only one lane can be addressed; send lanes as an axis");
  if (dtype.bits < 8) throw refusal(written + ": elements smaller than a byte cannot be addressed; send uint8");
  const std::optional<DataType> known = data_type_from_dlpack(dtype.code, dtype.bits);
  if (!known) throw refusal(written + ": no such type is known");
  return *known;
}

TensorLayout layout_of(const dlpack::DLTensor& tensor) {
  const DataType dtype = dtype_of(tensor.dtype);
  if (tensor.ndim < 0 || tensor.ndim > static_cast<std::int32_t>(kMaxRank)) {
    throw refusal("with ndim " + std::to_string(tensor.ndim) + ": 0 to " + std::to_string(kMaxRank) + " are possible");
  }
  if (tensor.ndim == 0) return {dtype, {}, {}};
  if (tensor.shape == nullptr) throw refusal("of " + std::to_string(tensor.ndim) + " axes without a shape");
  const auto rank = static_cast<std::size_t>(tensor.ndim);
  const Dims shape(std::span<const std::int64_t>(tensor.shape, rank));
  if (tensor.strides == nullptr) return row_major(shape, dtype);
  return {dtype, shape, Dims(std::span<const std::int64_t>(tensor.strides, rank))};
}

void check_device(const dlpack::DLDevice& device) {
  const auto type = static_cast<DeviceType>(device.device_type);
  if (is_host(type)) return;
  const std::string_view name = to_string(type);
  const std::string text =
      name.empty() ? std::to_string(device.device_type) : to_string(Device{type, device.device_id});
  throw Error(ErrorCode::zero_copy_unavailable,
              "a DLPack tensor on device " + text + ": have it copied to the processor's memory first");
}

std::byte* element_0(const dlpack::DLTensor& tensor, const LayoutSize& size) {
  if (size.elements == 0) return nullptr;
  if (tensor.data == nullptr) throw refusal("with elements, but without data");
  const auto data = reinterpret_cast<std::uintptr_t>(tensor.data);
  std::uintptr_t first = 0;
  if (__builtin_add_overflow(data, tensor.byte_offset, &first)) throw refusal("whose byte_offset leads nowhere");
  return static_cast<std::byte*>(tensor.data) + tensor.byte_offset;
}

template <class Managed>
TensorBuffer import(std::unique_ptr<Managed, Deleter> managed, bool read_only) {
  const dlpack::DLTensor& tensor = managed->dl_tensor;
  check_device(tensor.device);
  const TensorLayout layout = layout_of(tensor);
  std::byte* const first = element_0(tensor, checked(layout));
  std::shared_ptr<const void> owner(std::move(managed));
  return TensorBuffer::from_foreign(first, layout.shape, layout.dtype, std::move(owner), read_only, layout.strides);
}

}  // namespace

TensorBuffer from_dlpack(dlpack::DLManagedTensorVersioned* managed) {
  if (managed == nullptr) throw Error(ErrorCode::invalid_argument, "no DLPack tensor: nullptr");
  std::unique_ptr<dlpack::DLManagedTensorVersioned, Deleter> owned(managed);
  if (managed->version.major != dlpack::kMajorVersion) {
    throw refusal("of version " + std::to_string(managed->version.major) + ": " +
                  std::to_string(dlpack::kMajorVersion) + " is known");
  }
  return import(std::move(owned), (managed->flags & dlpack::kReadOnly) != 0);
}

TensorBuffer from_dlpack(dlpack::DLManagedTensor* managed) {
  if (managed == nullptr) throw Error(ErrorCode::invalid_argument, "no DLPack tensor: nullptr");
  return import(std::unique_ptr<dlpack::DLManagedTensor, Deleter>(managed), true);
}

}  // namespace remotemedia
