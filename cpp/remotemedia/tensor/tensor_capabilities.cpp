// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_capabilities.h"

#include "remotemedia/platform/gpu_driver.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {

TensorCapabilities TensorCapabilities::detect() {
  const platform::SharedMemorySupport memory = platform::probe_shared_memory();
  const platform::GpuDriver cuda = platform::find_cuda_driver();
  TensorCapabilities found;
  found.shared_memory = memory.available;
  found.shared_memory_reason = memory.reason;
  found.seals = memory.seals;
  found.huge_pages = memory.huge_pages;
  found.cuda = cuda.loads;
  found.cuda_reason = cuda.reason;
  found.metal = platform::find_metal_driver().loads;
  return found;
}

}  // namespace remotemedia
