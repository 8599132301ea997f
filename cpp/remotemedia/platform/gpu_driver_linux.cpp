// SPDX-License-Identifier: Apache-2.0

#include <dlfcn.h>

#include "remotemedia/platform/gpu_driver.h"

namespace remotemedia::platform {

GpuDriver find_cuda_driver() {
  void* const library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps one for each thread
    return {false, why != nullptr ? why : "libcuda.so.1 cannot be loaded"};
  }
  dlclose(library);
  return {true, {}};
}

GpuDriver find_metal_driver() { return {false, "Metal is on macOS only"}; }

}  // namespace remotemedia::platform
