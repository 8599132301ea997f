// SPDX-License-Identifier: Apache-2.0
//
// Plug-ins that no host can use: what is wrong is what is defined.

#include <stdexcept>

#include "remotemedia/backends/backend_abi.h"

namespace {

const char* const kFileKinds[] = {".fault", nullptr};

[[maybe_unused]] remotemedia_backend_functions functions() {
  remotemedia_backend_functions functions{};
  functions.abi = REMOTEMEDIA_BACKEND_ABI;
#if defined(OTHER_ABI)
  functions.abi += 1;
#endif
  functions.name = "fault";
  functions.version = "0";
  functions.file_kinds = kFileKinds;
  return functions;
}

}  // namespace

#if !defined(NO_ENTRY)
extern "C" const remotemedia_backend_functions* remotemedia_backend(void) {
#if defined(NOTHING)
  return nullptr;
#elif defined(THROWING_ENTRY)
  throw std::runtime_error("no engine today");
#else
  static const remotemedia_backend_functions ours = functions();
  return &ours;
#endif
}
#endif
