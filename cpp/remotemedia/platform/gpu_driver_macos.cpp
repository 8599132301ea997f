// SPDX-License-Identifier: Apache-2.0

#include <dlfcn.h>

#include "remotemedia/platform/gpu_driver.h"

namespace remotemedia::platform {

GpuDriver find_cuda_driver() { return {false, "CUDA is not on macOS"}; }

GpuDriver find_metal_driver() {
  void* const framework = dlopen("/System/Library/Frameworks/Metal.framework/Metal", RTLD_LAZY | RTLD_LOCAL);
  if (framework == nullptr) {
    const char* const why = dlerror();  // NOLINT(concurrency-mt-unsafe): one for each thread
    return {false, why != nullptr ? why : "the Metal framework cannot be loaded"};
  }
  dlclose(framework);
  return {true, {}};
}

}  // namespace remotemedia::platform
