// SPDX-License-Identifier: Apache-2.0
//
// data() is for reading; mutable_data() asks whether the tensor may be written.

#include <cstddef>

#include "remotemedia/tensor/tensor_buffer.h"

std::byte* address(const remotemedia::TensorBuffer& tensor) {
#ifdef MUST_NOT_COMPILE
  return tensor.data();
#else
  return tensor.mutable_data();
#endif
}
