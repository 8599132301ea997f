// SPDX-License-Identifier: Apache-2.0

#include <dlfcn.h>

#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/shared_library.h"

namespace remotemedia::platform {

SharedLibrary SharedLibrary::open(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();  // NOLINT(concurrency-mt-unsafe): it is each thread's own
    throw Error(ErrorCode::load_failed,
                "cannot load the library '" + path + "': " + (reason == nullptr ? "no reason given" : reason));
  }
  return SharedLibrary(handle);
}

SharedLibrary::Function SharedLibrary::find(const char* name) const noexcept {
  return reinterpret_cast<Function>(dlsym(handle_, name));
}

}  // namespace remotemedia::platform
