// SPDX-License-Identifier: Apache-2.0

#include "seconds.h"

#include <chrono>
#include <string>

#include "remotemedia/base/error.h"

namespace remotemedia::python {

Duration duration_of(std::string_view name, double seconds) {
  if (!(seconds >= 0)) {
    throw Error(ErrorCode::invalid_argument, std::string(name) + " must not be negative: " + std::to_string(seconds));
  }
  const std::chrono::duration<double> asked(seconds);
  return asked < Duration::max() ? std::chrono::duration_cast<Duration>(asked) : Duration::max();
}

}  // namespace remotemedia::python
