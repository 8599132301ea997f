// SPDX-License-Identifier: Apache-2.0
//
// Elements are numbers.

#include <string>

#include "remotemedia/tensor/tensor_buffer.h"

void read(const remotemedia::TensorBuffer& tensor) {
  tensor.span<const float>();
#ifdef MUST_NOT_COMPILE
  tensor.span<std::string>();
#endif
}
