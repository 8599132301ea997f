// SPDX-License-Identifier: Apache-2.0

#include "py_context.h"

#include <nanobind/stl/string.h>

#include <any>
#include <memory>
#include <utility>

#include "../bindings.h"
#include "../gil_object.h"
#include "../tensor/data_type.h"
#include "../tensor/py_tensor.h"
#include "parameters.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

using KeptState = std::shared_ptr<GilObject>;

nb::object slice(nb::handle start, nb::handle stop) {
  nb::object made = nb::steal(PySlice_New(start.ptr(), stop.ptr(), nullptr));
  if (!made.is_valid()) throw nb::python_error();
  return made;
}

Error over() { return {ErrorCode::invalid_argument, "the model's call that this context belongs to is over"}; }

}  // namespace

std::any kept_state(nb::object state) { return std::make_shared<GilObject>(std::move(state)); }

nb::object state_object(const std::any& state) {
  const auto* const kept = std::any_cast<KeptState>(&state);
  return kept != nullptr ? (*kept)->get() : nb::none();
}

PyRequest::PyRequest(RequestInfo& info, bool batches)
    : info_(&info),
      rows_(batches ? slice(nb::int_(info.first_row), nb::int_(info.first_row + info.rows))
                    : slice(nb::none(), nb::none())),
      request_id_(nb::str(std::to_string(info.request_id).c_str())),
      session_id_(info.session_id != nullptr ? nb::cast(*info.session_id) : nb::none()),
      parameters_(mapping_of(info.parameters != nullptr ? *info.parameters : Parameters())) {
  if (info.trace == nullptr) return;
  traceparent_ = nb::cast(info.trace->traceparent);
  if (!info.trace->tracestate.empty()) tracestate_ = nb::cast(info.trace->tracestate);
}

nb::object PyRequest::state() const { return info_ != nullptr ? state_object(info_->state) : last_state_; }

void PyRequest::set_state(nb::object state) {
  if (info_ == nullptr) throw over();
  info_->state = kept_state(std::move(state));
}

void PyRequest::end() {
  if (info_ == nullptr) return;
  last_state_ = state_object(info_->state);
  info_ = nullptr;
}

nb::object PyContext::requests() {
  if (requests_.is_valid()) return requests_;
  if (context_ == nullptr) throw over();
  nb::list made;
  for (RequestInfo& info : context_->requests()) made.append(nb::cast(PyRequest(info, batches_)));
  requests_ = nb::tuple(made);
  return requests_;
}

nb::object PyContext::allocate(nb::handle shape, nb::handle dtype) {
  if (context_ == nullptr) throw over();
  const Dims extents = dims_of(shape);
  const DataType type = data_type_of(dtype);
  TensorBuffer tensor;
  {
    const NoGil others_go_on;
    tensor = context_->allocate(extents, type);
  }
  return tensor_object(std::move(tensor));
}

void PyContext::end() {
  context_ = nullptr;
  if (!requests_.is_valid()) return;
  for (const nb::handle request : nb::borrow<nb::tuple>(requests_)) nb::inst_ptr<PyRequest>(request)->end();
}

ContextObject::ContextObject(InferenceContext& context, bool batches)
    : object_(nb::cast(PyContext(context, batches))) {}

ContextObject::~ContextObject() { nb::inst_ptr<PyContext>(object_)->end(); }

void bind_inference_context(nb::module_& m) {
  nb::class_<PyRequest>(m, "RequestInfo", "One caller's part of a batch.")
      .def_prop_ro("rows", &PyRequest::rows,
                   "Its rows of the batch dimension; all of the inputs when the model does not batch.",
                   nb::sig("def rows(self) -> slice"))
      .def_prop_ro("request_id", &PyRequest::request_id, "Unique in this worker.",
                   nb::sig("def request_id(self) -> str"))
      .def_prop_ro("session_id", &PyRequest::session_id, nb::sig("def session_id(self) -> str | None"))
      .def_prop_rw("state", &PyRequest::state, &PyRequest::set_state, nb::for_setter("state"_a.none()),
                   "What open_session returned for its session; assign to it to keep the new state. A call that fails\n"
                   "leaves what was assigned before; what it changed inside an object stays changed.",
                   nb::for_getter(nb::sig("def state(self) -> typing.Any")),
                   nb::for_setter(nb::sig("def state(self, state: typing.Any) -> None")))
      .def_prop_ro("parameters", &PyRequest::parameters,
                   nb::sig("def parameters(self) -> collections.abc.Mapping[str, str | int | float | bool]"))
      .def_prop_ro("traceparent", &PyRequest::traceparent, "The caller's span, as W3C's Trace Context writes it.",
                   nb::sig("def traceparent(self) -> str | None"))
      .def_prop_ro("tracestate", &PyRequest::tracestate, nb::sig("def tracestate(self) -> str | None"))
      .def_prop_ro("cancelled", &PyRequest::cancelled, "Whether nobody waits for the answer any more.");

  nb::class_<PyContext>(m, "InferenceContext", "Who asked for a batch, and where its answers should lie.")
      .def_prop_ro("requests", &PyContext::requests,
                   nb::sig("def requests(self) -> collections.abc.Sequence[RequestInfo]"))
      .def_prop_ro("cancelled", &PyContext::cancelled,
                   "True once every request of the batch is cancelled or late: stop when you can.")
      .def("allocate", &PyContext::allocate, "shape"_a, "dtype"_a.none() = "float32",
           "Memory that the caller reads: return it, or its to_numpy(), as an output and nothing is copied.\n\n"
           "Raises:\n"
           "    InvalidTensor: No tensor has such a shape or dtype.",
           nb::sig("def allocate(self, shape: collections.abc.Sequence[int] | int, dtype: typing.Any = 'float32') -> "
                   "TensorBuffer"));
}

}  // namespace remotemedia::python
