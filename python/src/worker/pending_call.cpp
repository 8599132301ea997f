// SPDX-License-Identifier: Apache-2.0

#include "pending_call.h"

#include <algorithm>
#include <utility>

#include "../errors.h"
#include "../gil.h"
#include "../seconds.h"
#include "calls.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/recycled_memory.h"
#include "waiting.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code() == ErrorCode::cancelled;
  } catch (...) {
    return false;
  }
}

[[noreturn]] void raise_of_futures(const char* name) {
  PyErr_SetNone(nb::object(nb::module_::import_("concurrent.futures").attr(name)).ptr());
  throw nb::python_error();
}

}  // namespace

PyPendingCall::PyPendingCall(InferenceFuture call, bool one_output, std::shared_ptr<Deliveries> deliveries) noexcept
    : call_(std::move(call)), deliveries_(std::move(deliveries)), one_output_(one_output) {}

bool PyPendingCall::done() const {
  return answer_.is_valid() || outputs_ != nullptr || error_ != nullptr || call_.ready();
}

bool PyPendingCall::cancelled() {
  if (cancel_asked_ && done()) make_answer();
  return cancelled_;
}

bool PyPendingCall::cancel() {
  if (!done()) {
    cancel_asked_ = true;
    InferenceFuture call = call_;
    const NoGil others_go_on;
    call.cancel();
  }
  return cancelled();
}

nb::object PyPendingCall::result(std::optional<double> timeout) {
  take_answer(timeout);
  if (!failed_) return answer_;
  PyErr_SetObject(answer_.type().ptr(), answer_.ptr());
  throw nb::python_error();
}

nb::object PyPendingCall::exception(std::optional<double> timeout) {
  take_answer(timeout);
  return failed_ ? answer_ : nb::none();
}

void PyPendingCall::when_done(nb::object done) {
  auto deliver = deliveries_->of(std::move(done));
  if (this->done()) return deliver();
  InferenceFuture call = call_;
  const NoGil others_go_on;
  call.when_ready(std::move(deliver));
}

void PyPendingCall::take_answer(std::optional<double> timeout) {
  if (!wait(timeout)) raise_of_futures("TimeoutError");
  make_answer();
  if (cancelled_) raise_of_futures("CancelledError");
}

/// Receives meanwhile, also what others wait for.
bool PyPendingCall::wait(std::optional<double> timeout) const {
  if (done()) return true;
  if (timeout && !(*timeout > 0)) return false;
  InferenceFuture call = call_;
  const TimePoint deadline =
      timeout ? later(monotonic_clock().now(), duration_of("timeout", *timeout)) : TimePoint::max();
  bool there = false;
  wait_in_slices(
      [&](TimePoint slice) {
        there = call.wait_until(std::min(slice, deadline));
        return there || monotonic_clock().now() >= deadline;
      },
      [] {});
  return there;
}

/// Of a call that is done.
void PyPendingCall::make_answer() {
  if (answer_.is_valid()) return;
  if (outputs_ == nullptr && error_ == nullptr) {
    try {
      outputs_ = std::allocate_shared<const TensorMap>(RecyclingAllocator<TensorMap>(), call_.get());
    } catch (...) {
      error_ = std::current_exception();
      cancelled_ = cancel_asked_ && is_cancelled(error_);
    }
  }
  const std::shared_ptr<const TensorMap> outputs = outputs_;
  const std::exception_ptr error = error_;
  nb::object answer = error != nullptr ? exception_object(error) : answer_object(*outputs, one_output_);
  if (answer_.is_valid()) return;
  failed_ = error != nullptr;
  answer_ = std::move(answer);
  outputs_ = nullptr;
  error_ = nullptr;
}

int PyPendingCall::traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  Py_VISIT(nb::inst_ptr<PyPendingCall>(self)->answer_.ptr());
  return 0;
}

int PyPendingCall::clear(PyObject* self) noexcept {
  nb::inst_ptr<PyPendingCall>(self)->answer_ = nb::none();
  return 0;
}

}  // namespace remotemedia::python
