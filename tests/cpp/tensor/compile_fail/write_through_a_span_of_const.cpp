// SPDX-License-Identifier: Apache-2.0
//
// Who asks for const elements does not write them.

#include "remotemedia/tensor/tensor_buffer.h"

void write(const remotemedia::TensorBuffer& tensor) {
  tensor.span<float>()[0] = 1;
#ifdef MUST_NOT_COMPILE
  tensor.span<const float>()[0] = 1;
#endif
}
