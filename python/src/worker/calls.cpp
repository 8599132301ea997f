// SPDX-License-Identifier: Apache-2.0

#include "calls.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "../seconds.h"
#include "../tensor/data_type.h"
#include "../tensor/py_tensor.h"
#include "parameters.h"
#include "remotemedia/base/error.h"
#include "tensor_maps.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

/// What one array is called that goes to a model without a signature.
constexpr const char* kOnlyInput = "input";

bool is_mapping(nb::handle inputs) {
  if (PyDict_Check(inputs.ptr()) != 0) return true;
  static const nb::handle mapping = nb::object(nb::module_::import_("collections.abc").attr("Mapping")).release();
  return PyObject_IsInstance(inputs.ptr(), mapping.ptr()) == 1;
}

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs) names += (names.empty() ? "'" : ", '") + spec.name + "'";
  return names.empty() ? "none" : names;
}

TensorMap inputs_of(const ModelSignature& signature, nb::handle inputs, nb::handle named) {
  const bool any_named = !named.is_none() && PyDict_Size(named.ptr()) > 0;
  if (!inputs.is_none() && any_named) {
    throw nb::type_error("inputs are given by name or as one argument, not both");
  }
  if (inputs.is_none()) return any_named ? tensors_of(named, signature.inputs, "input") : TensorMap();
  if (is_mapping(inputs) && !nb::isinstance<PyTensor>(inputs)) return tensors_of(inputs, signature.inputs, "input");
  if (signature.declares_tensors() && signature.inputs.size() != 1) {
    throw Error(ErrorCode::invalid_tensor, "one array is for a model of one input: this one has " +
                                               std::to_string(signature.inputs.size()) + ", " +
                                               names_of(signature.inputs) + ", so give them by name");
  }
  return tensors_of(inputs, signature.inputs.empty() ? kOnlyInput : signature.inputs.front().name, signature.inputs,
                    "input");
}

int priority_of(nb::handle priority) {
  int overflow = 0;
  const long number = PyLong_Check(priority.ptr()) != 0
                          ? PyLong_AsLongAndOverflow(priority.ptr(), &overflow)
                          : throw nb::type_error(("priority must be an int, not " + class_name(priority)).c_str());
  if (overflow != 0 || number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    throw Error(ErrorCode::invalid_argument, "priority " + printed(priority) + " is more than 32 bits");
  }
  return static_cast<int>(number);
}

std::optional<Duration> timeout_of(nb::handle timeout) {
  if (timeout.is_none()) return std::nullopt;
  const double seconds = PyBool_Check(timeout.ptr()) != 0 ? -1 : PyFloat_AsDouble(timeout.ptr());
  if (PyBool_Check(timeout.ptr()) != 0 || (seconds == -1 && PyErr_Occurred() != nullptr)) {
    PyErr_Clear();
    throw nb::type_error(("timeout must be a number of seconds, not " + class_name(timeout)).c_str());
  }
  const Duration duration = duration_of("timeout", seconds);
  return duration == Duration::max() ? std::nullopt : std::optional(duration);
}

}  // namespace

PyCall call_of(const ModelSignature& signature, nb::handle inputs, nb::handle named, nb::handle parameters,
               nb::handle session_id, nb::handle priority, nb::handle timeout, nb::handle trace) {
  PyCall call;
  call.options.parameters = parameters_of(parameters);
  if (!session_id.is_none()) {
    if (PyUnicode_Check(session_id.ptr()) == 0) {
      throw nb::type_error(("session_id must be a str, not " + class_name(session_id)).c_str());
    }
    call.options.session_id = nb::cast<std::string>(session_id);
  }
  call.options.priority = priority_of(priority);
  call.options.timeout = timeout_of(timeout);
  if (!trace.is_none())
    std::tie(call.options.traceparent, call.options.tracestate) = nb::cast<std::pair<std::string, std::string>>(trace);
  call.inputs = inputs_of(signature, inputs, named);
  call.one_output = signature.outputs.size() == 1;
  if (!signature.declares_tensors()) call.one_output = true;
  return call;
}

nb::object answer_object(const TensorMap& outputs, bool one_output) {
  if (one_output && outputs.size() == 1) return tensor_object(outputs.begin()->second);
  return dict_of(outputs);
}

}  // namespace remotemedia::python
