// SPDX-License-Identifier: Apache-2.0
//
// TensorMap: the named tensors that a model takes, or gives.

#pragma once

#include <string>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

/// One comes and goes with every call, both ways.
using TensorMap = RecyclingMap<std::string, TensorBuffer>;

}  // namespace remotemedia
