// SPDX-License-Identifier: Apache-2.0
//
// Windows tells of Ctrl+C and of a session's end on a thread of its own.

#include <atomic>
#include <thread>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/termination_signal.h"

namespace remotemedia::platform {
namespace {

std::atomic<bool> taken{false};        // somebody is, or becomes, the one who is told
std::atomic<Doorbell*> bell{nullptr};  // what is rung
std::atomic<int> ringing{0};           // threads that may be at it

BOOL WINAPI ring_bell(DWORD what) {
  ++ringing;
  Doorbell* const here = bell;
  if (here != nullptr) here->ring();
  --ringing;
  if (here == nullptr) return FALSE;
  if (what != CTRL_C_EVENT && what != CTRL_BREAK_EVENT) Sleep(INFINITE);  // once this returns, the process is ended
  return TRUE;
}

}  // namespace

TerminationSignal::TerminationSignal() : came_(Doorbell::create()) {
  if (taken.exchange(true)) {
    throw Error(ErrorCode::invalid_argument, "this process waits for its termination signal elsewhere already");
  }
  bell = &came_;
  if (SetConsoleCtrlHandler(ring_bell, TRUE) != 0) return;
  const int number = last_error();
  bell = nullptr;
  taken = false;
  throw OsError("SetConsoleCtrlHandler", number, "catch Ctrl+C");
}

TerminationSignal::~TerminationSignal() {
  SetConsoleCtrlHandler(ring_bell, FALSE);
  bell = nullptr;
  while (ringing != 0) std::this_thread::yield();
  taken = false;
}

}  // namespace remotemedia::platform
