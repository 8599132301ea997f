// SPDX-License-Identifier: Apache-2.0
//
// PyPendingCall: a call under way, and its answer from when somebody asks for it.

#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <memory>
#include <optional>

#include "deliveries.h"
#include "remotemedia/worker/model_worker_client.h"

namespace remotemedia::python {

/// All of it with the GIL, but for the waiting.
class PyPendingCall {
 public:
  PyPendingCall(InferenceFuture call, bool one_output, std::shared_ptr<Deliveries> deliveries) noexcept;

  bool done() const;

  /// Whether cancel() was in time.
  bool cancelled();
  bool cancel();

  /// The outputs, the same ones every time. None: no timeout.
  ///
  /// Errors:  those of the call; concurrent.futures' TimeoutError and CancelledError; what a signal handler raises.
  nanobind::object result(std::optional<double> timeout);

  /// What the call raises, or None.
  ///
  /// Errors:  as result(), but for the call's.
  nanobind::object exception(std::optional<double> timeout);

  /// Calls `done` once, when result() does not wait: perhaps now, and on any thread. Only the last one is called.
  void when_done(nanobind::object done);

  static int traverse(PyObject* self, visitproc visit, void* arg) noexcept;
  static int clear(PyObject* self) noexcept;

 private:
  bool wait(std::optional<double> timeout) const;
  void take_answer(std::optional<double> timeout);
  void make_answer();

  InferenceFuture call_;
  std::shared_ptr<Deliveries> deliveries_;
  const bool one_output_;
  bool cancel_asked_ = false;
  bool cancelled_ = false;
  bool failed_ = false;

  // One of both from when the call is taken until the answer is made of it, in which other threads may come between.
  std::shared_ptr<const TensorMap> outputs_;
  std::exception_ptr error_;

  nanobind::object answer_;  // also an exception
};

}  // namespace remotemedia::python
