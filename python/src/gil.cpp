// SPDX-License-Identifier: Apache-2.0

#include "gil.h"

#include <atomic>
#include <future>
#include <thread>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/fork.h"

namespace remotemedia::python {
namespace {

std::atomic<bool> exits{false};
std::atomic<bool> closed{false};
std::atomic<int> inside{0};
std::thread::id last_thread;  // written before both

void leave() noexcept {
  inside.fetch_sub(1);
  if (closed.load()) inside.notify_all();
}

bool enter() noexcept {
  inside.fetch_add(1);
  if (!closed.load() || !is_left_over()) return true;
  leave();
  return false;
}

}  // namespace

AnyThreadGil::AnyThreadGil() noexcept {
  if (Py_IsInitialized() == 0 || !enter()) return;
  gil_.emplace();
}

AnyThreadGil::~AnyThreadGil() {
  if (!gil_) return;
  gil_.reset();
  leave();
}

NoGil::~NoGil() {
  if (!enter()) std::promise<void>().get_future().wait();  // for ever
  PyEval_RestoreThread(state_);
  leave();
}

ThreadStart::ThreadStart() {
  if (!enter()) throw Error(ErrorCode::cancelled, "the interpreter exits: no thread can be started any more");
}

ThreadStart::~ThreadStart() { leave(); }

void watch_forks() {
  at_fork([] {}, [] {}, [] { inside.store(0); });  // the others are the parent's
}

void begin_exit() noexcept {
  last_thread = std::this_thread::get_id();
  exits.store(true);
}

bool interpreter_exits() noexcept { return exits.load(); }

bool is_left_over() noexcept { return exits.load() && std::this_thread::get_id() != last_thread; }

void keep_gil_to_this_thread() {
  closed.store(true);
  const nanobind::gil_scoped_release others_go_on;
  for (int others = inside.load(); others > 0; others = inside.load()) inside.wait(others);
}

}  // namespace remotemedia::python
