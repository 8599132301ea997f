// SPDX-License-Identifier: Apache-2.0
//
// An event that stays set, so that looking at it takes no ring away (wait_for_any looks); the call that resets it says
// whether it was set, so that one ring wakes one waiter.

#include <winternl.h>

#include <utility>

#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/os_error.h"

extern "C" NTSTATUS NTAPI NtResetEvent(HANDLE event, LONG* was_set);

extern "C" NTSTATUS NTAPI NtQueryEvent(HANDLE event, int kind, void* facts, ULONG size, ULONG* used);

namespace remotemedia::platform {
namespace {

constexpr DWORD kQueryRight = 1;  // EVENT_QUERY_STATE
constexpr DWORD kRights = EVENT_MODIFY_STATE | SYNCHRONIZE | kQueryRight;

struct EventFacts {
  int resets_itself;
  LONG set;
};

}  // namespace

Doorbell::Doorbell(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

Doorbell Doorbell::create() { return Doorbell(create_event()); }

Doorbell Doorbell::adopt(OwnedHandle handle) {
  const std::optional<HandleFacts> facts = facts_of(handle.get());
  EventFacts event{};
  if (!facts || facts->type != L"Event" || (facts->rights & kRights) != kRights ||
      NtQueryEvent(raw(handle), 0, &event, sizeof event, nullptr) < 0 || event.resets_itself != 0) {
    throw Error(ErrorCode::protocol_error,
                "asked for a doorbell, found a handle that is none: the peer must send one of Doorbell::duplicate()");
  }
  return Doorbell(std::move(handle));
}

void Doorbell::ring() noexcept { SetEvent(raw(handle_)); }

bool Doorbell::wait(TimePoint deadline) {
  while (wait_for(handle_.get(), deadline)) {
    LONG was_set = 0;
    if (NtResetEvent(raw(handle_), &was_set) < 0) throw OsError("NtResetEvent", ERROR_INVALID_HANDLE, "take a ring");
    if (was_set != 0) return true;
  }
  return false;
}

OwnedHandle Doorbell::duplicate() const { return duplicate_of(handle_.get(), kRights, "share a doorbell"); }

NativeHandle Doorbell::wait_handle() const noexcept { return handle_.get(); }

}  // namespace remotemedia::platform
