// SPDX-License-Identifier: Apache-2.0

#include <exception>

#include "remotemedia/platform/alarm.h"

namespace remotemedia::platform {

Alarm Alarm::create() {
  Alarm alarm;
  alarm.bell_ = Doorbell::create();
  return alarm;
}

void Alarm::set(Duration /*time*/) noexcept { bell_.ring(); }

void Alarm::clear() noexcept {
  try {
    (void)bell_.wait(TimePoint{});
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it stays ready
  }
}

NativeHandle Alarm::wait_handle() const noexcept { return bell_.wait_handle(); }

}  // namespace remotemedia::platform
