// SPDX-License-Identifier: Apache-2.0
//
// Whether the driver of a GPU is there: whether its library can be loaded. No device is touched.

#pragma once

#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia::platform {

struct GpuDriver {
  bool loads = false;
  std::string reason;  ///< Why not; empty where it loads.
};

/// NVIDIA's (libcuda.so.1, nvcuda.dll).
REMOTEMEDIA_API GpuDriver find_cuda_driver();

/// Apple's Metal framework.
REMOTEMEDIA_API GpuDriver find_metal_driver();

}  // namespace remotemedia::platform
