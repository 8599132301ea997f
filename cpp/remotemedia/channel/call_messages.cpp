// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/call_messages.h"

namespace remotemedia::detail {

LayoutSize dense_size(const MessageTensor& tensor) {
  const Dims strides = row_major_strides(tensor.shape);
  return measure({tensor.shape.data(), tensor.shape.size()}, {strides.data(), strides.size()}, itemsize(tensor.dtype));
}

}  // namespace remotemedia::detail
