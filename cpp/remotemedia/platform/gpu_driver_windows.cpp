// SPDX-License-Identifier: Apache-2.0

#include <windows.h>

#include "remotemedia/platform/gpu_driver.h"

namespace remotemedia::platform {

GpuDriver find_cuda_driver() {
  // From the system's folder only: never one that lies beside the program.
  const HMODULE library = LoadLibraryExW(L"nvcuda.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == nullptr) return {false, "nvcuda.dll cannot be loaded: error " + std::to_string(GetLastError())};
  FreeLibrary(library);
  return {true, {}};
}

GpuDriver find_metal_driver() { return {false, "Metal is on macOS only"}; }

}  // namespace remotemedia::platform
