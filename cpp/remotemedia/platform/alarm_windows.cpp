// SPDX-License-Identifier: Apache-2.0

#include <chrono>
#include <cstdint>

#include "remotemedia/platform/alarm.h"
#include "remotemedia/platform/handle_windows.h"

namespace remotemedia::platform {
namespace {

using Tick = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;

constexpr Duration kAlmostNever = std::chrono::hours{24 * 365 * 100};

}  // namespace

Alarm Alarm::create() {
  Alarm alarm;
  alarm.timer_ = made(CreateWaitableTimerW(nullptr, TRUE, nullptr), "CreateWaitableTimer", "make an alarm");
  return alarm;
}

void Alarm::set(Duration time) noexcept {
  LARGE_INTEGER due;
  due.QuadPart = -std::chrono::ceil<Tick>(time).count();  // from now on
  SetWaitableTimer(raw(timer_), &due, 0, nullptr, nullptr, FALSE);
}

void Alarm::clear() noexcept { set(kAlmostNever); }  // cancelling leaves it ready where it has gone off

NativeHandle Alarm::wait_handle() const noexcept { return timer_.get(); }

}  // namespace remotemedia::platform
