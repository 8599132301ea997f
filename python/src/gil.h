// SPDX-License-Identifier: Apache-2.0
//
// The GIL for C++ threads, and without it for Python's. CPython before 3.14 ends a thread that asks for the GIL once
// the interpreter goes, by unwinding it, which C++ frames turn into the end of the process: so nobody may ask then.

#pragma once

#include <nanobind/nanobind.h>

#include <optional>

namespace remotemedia::python {

/// The GIL, from any thread. False once the interpreter goes: then nothing of Python may be touched.
class AnyThreadGil {
 public:
  AnyThreadGil() noexcept;
  AnyThreadGil(const AnyThreadGil&) = delete;
  AnyThreadGil& operator=(const AnyThreadGil&) = delete;
  ~AnyThreadGil();

  explicit operator bool() const noexcept { return gil_.has_value(); }

 private:
  std::optional<nanobind::gil_scoped_acquire> gil_;
};

/// For what waits for another thread. A thread that would take the GIL again when the interpreter goes stays here.
class NoGil {
 public:
  NoGil() noexcept : state_(PyEval_SaveThread()) {}
  NoGil(const NoGil&) = delete;
  NoGil& operator=(const NoGil&) = delete;
  ~NoGil();

 private:
  PyThreadState* state_;
};

/// The start of a Python thread by ours, until it is destroyed. CPython 3.11 crashes if the interpreter goes
/// between the start of a thread and its first step: so it waits.
class ThreadStart {
 public:
  /// Errors:  cancelled once the interpreter goes.
  ThreadStart();
  ThreadStart(const ThreadStart&) = delete;
  ThreadStart& operator=(const ThreadStart&) = delete;
  ~ThreadStart();
};

/// Once, before any of the above.
void watch_forks();

/// This thread ends the interpreter, from now on. With the GIL.
void begin_exit() noexcept;
bool interpreter_exits() noexcept;

/// Whether this is another thread than the one that ends the interpreter.
bool is_left_over() noexcept;

/// From now on only the thread that ends the interpreter gets the GIL, or starts a thread, through the classes above.
/// Returns when all others have let go of it, and have started theirs. With the GIL.
void keep_gil_to_this_thread();

}  // namespace remotemedia::python
