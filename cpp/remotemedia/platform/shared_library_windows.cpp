// SPDX-License-Identifier: Apache-2.0

#include <windows.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/shared_library.h"

namespace remotemedia::platform {

SharedLibrary SharedLibrary::open(const std::string& path) {
  const std::filesystem::path absolute = std::filesystem::absolute(path);
  const HMODULE handle =
      LoadLibraryExW(absolute.c_str(), nullptr, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
  if (handle == nullptr) {
    const auto number = static_cast<int>(GetLastError());
    throw Error(ErrorCode::load_failed,
                "cannot load the library '" + path + "': " + std::system_category().message(number));
  }
  return SharedLibrary(static_cast<void*>(handle));
}

SharedLibrary::Function SharedLibrary::find(const char* name) const noexcept {
  return reinterpret_cast<Function>(GetProcAddress(static_cast<HMODULE>(handle_), name));
}

}  // namespace remotemedia::platform
