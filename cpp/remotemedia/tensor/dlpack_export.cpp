// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"

namespace remotemedia {
namespace {

/// One allocation: the struct, the numbers it points to (copies: the receiver may write to them), and the hold.
template <class Managed>
struct Exported {
  Managed managed{};
  TensorBuffer tensor;
  std::unique_ptr<std::int64_t[]> axes;  // shape, then strides
};

template <class Managed>
std::unique_ptr<Exported<Managed>> exported(const TensorBuffer& tensor) {
  if (!tensor) throw Error(ErrorCode::invalid_tensor, "an empty TensorBuffer has nothing to export");
  if (tensor.dtype() == DataType::bytes) {
    throw Error(ErrorCode::invalid_tensor, "DLPack has no elements of any length: to_numpy() and unpack_bytes() do");
  }
  const std::size_t rank = tensor.shape().size();
  auto made = std::make_unique<Exported<Managed>>();
  made->tensor = tensor;
  made->axes = std::make_unique<std::int64_t[]>(2 * rank);
  std::ranges::copy(tensor.shape(), made->axes.get());
  std::ranges::copy(tensor.strides(), made->axes.get() + rank);

  const DataTypeInfo& dtype = info_of(tensor.dtype());
  dlpack::DLTensor& dl = made->managed.dl_tensor;
  // The address of elements is handed out as DLPack has it; the flag of the struct says whether they may be written.
  dl.data = tensor.element_count() == 0 ? nullptr : const_cast<std::byte*>(tensor.data());
  dl.device = {static_cast<std::int32_t>(tensor.device().type), tensor.device().index};
  dl.ndim = static_cast<std::int32_t>(rank);
  dl.dtype = {dtype.dlpack_code, dtype.dlpack_bits, 1};
  dl.shape = made->axes.get();
  dl.strides = made->axes.get() + rank;
  dl.byte_offset = 0;
  made->managed.manager_ctx = made.get();
  made->managed.deleter = [](Managed* self) { delete static_cast<Exported<Managed>*>(self->manager_ctx); };
  return made;
}

}  // namespace

dlpack::DLManagedTensorVersioned* to_dlpack(const TensorBuffer& tensor, DlpackCopied copied) {
  auto made = exported<dlpack::DLManagedTensorVersioned>(tensor);
  made->managed.version = {dlpack::kMajorVersion, dlpack::kMinorVersion};
  if (tensor.read_only()) made->managed.flags |= dlpack::kReadOnly;
  if (copied == DlpackCopied::yes) made->managed.flags |= dlpack::kIsCopied;
  return &made.release()->managed;
}

dlpack::DLManagedTensor* to_dlpack_legacy(const TensorBuffer& tensor) {
  if (tensor && tensor.read_only()) {
    throw Error(
        ErrorCode::zero_copy_unavailable,
        "a read-only tensor in an unversioned DLPack struct, which cannot say so: ask for version 1, or copy()");
  }
  return &exported<dlpack::DLManagedTensor>(tensor).release()->managed;
}

}  // namespace remotemedia
