// SPDX-License-Identifier: Apache-2.0
//
// InferenceContext and RequestInfo as a model in Python sees them. They may be kept: once the call is over they answer
// from memory. All of it with the GIL.

#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "remotemedia/worker/inference_context.h"

namespace remotemedia::python {

class PyRequest {
 public:
  PyRequest(RequestInfo& info, bool batches);

  const nanobind::object& rows() const noexcept { return rows_; }
  const nanobind::object& request_id() const noexcept { return request_id_; }
  const nanobind::object& session_id() const noexcept { return session_id_; }
  const nanobind::object& parameters() const noexcept { return parameters_; }
  const nanobind::object& traceparent() const noexcept { return traceparent_; }
  const nanobind::object& tracestate() const noexcept { return tracestate_; }
  nanobind::object state() const;

  /// Errors:  invalid_argument once the call is over.
  void set_state(nanobind::object state);

  bool cancelled() const noexcept { return info_ == nullptr || info_->cancelled(); }

  void end();

 private:
  RequestInfo* info_;
  nanobind::object rows_;
  nanobind::object request_id_;
  nanobind::object session_id_;
  nanobind::object parameters_;
  nanobind::object traceparent_ = nanobind::none();
  nanobind::object tracestate_ = nanobind::none();
  nanobind::object last_state_;
};

class PyContext {
 public:
  PyContext(InferenceContext& context, bool batches) noexcept : context_(&context), batches_(batches) {}

  /// A tuple.
  nanobind::object requests();

  bool cancelled() const noexcept { return context_ == nullptr || context_->cancelled(); }

  /// Errors:  invalid_argument once the call is over; as TensorBuffer::allocate.
  nanobind::object allocate(nanobind::handle shape, nanobind::handle dtype);

  void end();

 private:
  InferenceContext* context_;
  bool batches_;
  nanobind::object requests_;
};

/// A Python object for `context`, for as long as a call, or a stream, lasts.
class ContextObject {
 public:
  ContextObject(InferenceContext& context, bool batches);
  ContextObject(const ContextObject&) = delete;
  ContextObject& operator=(const ContextObject&) = delete;
  ~ContextObject();

  const nanobind::object& get() const noexcept { return object_; }

 private:
  nanobind::object object_;
};

/// A session's state as a worker keeps it, and back.
std::any kept_state(nanobind::object state);
nanobind::object state_object(const std::any& state);

}  // namespace remotemedia::python
