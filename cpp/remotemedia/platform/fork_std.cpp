// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/fork.h"

namespace remotemedia {

void at_fork(void (*)(), void (*)(), void (*)()) {}

}  // namespace remotemedia
