// SPDX-License-Identifier: Apache-2.0
//
// TensorMap: the named tensors that a model takes, or gives.

#pragma once

#include <functional>
#include <map>
#include <string>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

using TensorMap = std::map<std::string, TensorBuffer, std::less<>>;

}  // namespace remotemedia
