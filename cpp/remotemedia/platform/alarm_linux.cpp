// SPDX-License-Identifier: Apache-2.0

#include <sys/timerfd.h>

#include <chrono>

#include "remotemedia/platform/alarm.h"
#include "remotemedia/platform/call_posix.h"

namespace remotemedia::platform {

Alarm Alarm::create() {
  Alarm alarm;
  alarm.timer_ = OwnedHandle(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!alarm.timer_) throw_os_error("timerfd_create", "make an alarm");
  return alarm;
}

void Alarm::set(Duration time) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  itimerspec once{};
  once.it_value.tv_sec = seconds.count();
  once.it_value.tv_nsec = static_cast<long>((time - seconds).count());
  timerfd_settime(descriptor(timer_), 0, &once, nullptr);
}

void Alarm::clear() noexcept {
  const itimerspec never{};
  timerfd_settime(descriptor(timer_), 0, &never, nullptr);
}

NativeHandle Alarm::wait_handle() const noexcept { return timer_.get(); }

}  // namespace remotemedia::platform
