// SPDX-License-Identifier: Apache-2.0
//
// Handlers that ring a bell. They run on any thread at any moment: they read atomics and make system calls, no more.

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <thread>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/fork.h"
#include "remotemedia/platform/termination_signal.h"

namespace remotemedia::platform {
namespace {

struct Caught {
  int number;
  struct sigaction before;
  bool changed;
};

std::atomic<bool> taken{false};        // somebody is, or becomes, the one who has the handlers
std::atomic<Doorbell*> bell{nullptr};  // what they ring
std::atomic<int> ringing{0};           // handlers that may be at it
std::atomic<pid_t> catcher{0};         // the process in which they were set
std::array<Caught, 2> caught{{{SIGTERM, {}, false}, {SIGINT, {}, false}}};

void give_back(Caught& one) noexcept {
  if (one.changed) sigaction(one.number, &one.before, nullptr);
  one.changed = false;
}

// In a child that has not come to forget_in_child() yet, the signal is for what was there before.
void pass_on(int number) noexcept {
  for (Caught& one : caught) {
    if (one.number == number) give_back(one);
  }
  static_cast<void>(raise(number));
}

extern "C" void ring_bell(int number) {
  const int before = errno;
  if (getpid() != catcher) {
    pass_on(number);
  } else {
    ++ringing;
    if (Doorbell* const here = bell) here->ring();
    --ringing;
  }
  errno = before;
}

void forget_in_child() noexcept {
  if (!taken) return;
  for (Caught& one : caught) give_back(one);
  bell = nullptr;
  ringing = 0;
  taken = false;
}

void forget_in_children() {
  static const bool told = (at_fork([] {}, [] {}, [] { forget_in_child(); }), true);
  static_cast<void>(told);
}

void catch_signal(Caught& one) {
  if (sigaction(one.number, nullptr, &one.before) != 0) throw_os_error("sigaction", "look at a signal");
  const bool is_ignored = (one.before.sa_flags & SA_SIGINFO) == 0 && one.before.sa_handler == SIG_IGN;
  if (one.number == SIGINT && is_ignored) return;  // a job in the background, which Ctrl+C is not meant for
  struct sigaction ours {};
  ours.sa_handler = ring_bell;
  ours.sa_flags = SA_RESTART;
  sigemptyset(&ours.sa_mask);
  if (sigaction(one.number, &ours, nullptr) != 0) throw_os_error("sigaction", "catch a signal");
  one.changed = true;
}

void let_all_go() noexcept {
  for (Caught& one : caught) give_back(one);
  bell = nullptr;
  while (ringing != 0) std::this_thread::yield();
  taken = false;
}

}  // namespace

TerminationSignal::TerminationSignal() : came_(Doorbell::create()) {
  forget_in_children();
  if (taken.exchange(true)) {
    throw Error(ErrorCode::invalid_argument, "this process waits for its termination signal elsewhere already");
  }
  catcher = getpid();
  bell = &came_;
  try {
    for (Caught& one : caught) catch_signal(one);
  } catch (...) {
    let_all_go();
    throw;
  }
}

TerminationSignal::~TerminationSignal() {
  if (bell == &came_) let_all_go();
}

}  // namespace remotemedia::platform
