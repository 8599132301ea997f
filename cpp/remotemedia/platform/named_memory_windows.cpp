// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/error.h"
#include "remotemedia/platform/named_memory.h"

namespace remotemedia::platform {

std::shared_ptr<NamedMemory> NamedMemory::open(const std::string& key) {
  throw Error(ErrorCode::platform_not_supported, "the shared memory '" + key + "': clients have none here");
}

}  // namespace remotemedia::platform
