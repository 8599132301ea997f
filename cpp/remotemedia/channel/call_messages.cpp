// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/call_messages.h"

namespace remotemedia::detail {

LayoutSize dense_size(const MessageTensor& tensor) {
  const Dims strides = row_major_strides(tensor.shape);
  const bool is_packed = tensor.dtype == DataType::bytes;
  LayoutSize size = measure({tensor.shape.data(), tensor.shape.size()}, {strides.data(), strides.size()},
                            is_packed ? kPackedLengthBytes : itemsize(tensor.dtype));
  if (is_packed && size.fault == LayoutFault::none) {
    size.nbytes = static_cast<std::int64_t>(tensor.packed_bytes);
    size.end = size.nbytes;
  }
  return size;
}

TensorLayout layout_of(const MessageTensor& tensor) {
  return {tensor.dtype, tensor.shape, row_major_strides(tensor.shape), static_cast<std::int64_t>(tensor.packed_bytes)};
}

}  // namespace remotemedia::detail
