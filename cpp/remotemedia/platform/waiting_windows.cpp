// SPDX-License-Identifier: Apache-2.0
//
// One call of WaitForMultipleObjects waits for 64 handles at most. More of them are watched by the threads of the
// system's pool, which set one event.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::platform {
namespace {

std::vector<std::size_t> ready_among(std::span<const NativeHandle> handles) {
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (wait_for(handles[i], TimePoint::min())) ready.push_back(i);
  }
  return ready;
}

void CALLBACK set_event(void* event, BOOLEAN) { SetEvent(event); }

/// Sets an event when a handle is ready. When the destructor returns, it never will again.
class PoolWait {
 public:
  PoolWait(NativeHandle handle, const OwnedHandle& event) {
    if (RegisterWaitForSingleObject(&wait_, raw(handle), set_event, raw(event), INFINITE, WT_EXECUTEONLYONCE) ==
        FALSE) {
      throw OsError("RegisterWaitForSingleObject", last_error(), "wait for one of many");
    }
  }
  ~PoolWait() {
    if (wait_ != nullptr) UnregisterWaitEx(wait_, INVALID_HANDLE_VALUE);
  }
  PoolWait(PoolWait&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
  PoolWait& operator=(PoolWait&&) = delete;

 private:
  HANDLE wait_ = nullptr;
};

void wait_for_few(std::span<const NativeHandle> handles, DWORD patience) {
  std::vector<HANDLE> raw_handles;
  raw_handles.reserve(handles.size());
  for (const NativeHandle handle : handles) raw_handles.push_back(raw(handle));
  if (WaitForMultipleObjects(static_cast<DWORD>(raw_handles.size()), raw_handles.data(), FALSE, patience) ==
      WAIT_FAILED) {
    throw OsError("WaitForMultipleObjects", last_error(), "wait for one of " + std::to_string(handles.size()));
  }
}

void wait_for_many(std::span<const NativeHandle> handles, TimePoint deadline) {
  const OwnedHandle any = create_event();
  std::vector<PoolWait> waits;
  waits.reserve(handles.size());
  for (const NativeHandle handle : handles) waits.emplace_back(handle, any);
  wait_for(any.get(), deadline);
}

}  // namespace

std::vector<std::size_t> wait_for_any(std::span<const NativeHandle> handles, TimePoint deadline) {
  if (std::ranges::find(handles, kNoHandle) != handles.end()) {
    throw Error(ErrorCode::invalid_argument, "asked to wait for " + std::to_string(handles.size()) +
                                                 " handles, found one that names nothing: leave it out");
  }
  for (;;) {
    std::vector<std::size_t> ready = ready_among(handles);
    const DWORD patience = milliseconds_until(deadline);
    if (!ready.empty() || patience == 0) return ready;
    if (handles.empty()) {
      Sleep(patience);
    } else if (handles.size() <= MAXIMUM_WAIT_OBJECTS) {
      wait_for_few(handles, patience);
    } else {
      wait_for_many(handles, deadline);
    }
  }
}

}  // namespace remotemedia::platform
