// SPDX-License-Identifier: Apache-2.0

#include "parameters.h"

#include <nanobind/stl/string.h>

#include <cstdint>
#include <string>
#include <variant>

#include "../tensor/data_type.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

std::int64_t integer_of(nb::handle value, const std::string& name) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0) {
    throw Error(ErrorCode::invalid_argument,
                "parameter '" + name + "' is " + printed(value) + ": 64 bits are possible");
  }
  return number;
}

Parameter parameter_of(nb::handle value, const std::string& name) {
  PyObject* const it = value.ptr();
  if (PyBool_Check(it) != 0) return it == Py_True;
  if (PyUnicode_Check(it) != 0) return nb::cast<std::string>(value);
  if (PyFloat_Check(it) != 0) return PyFloat_AsDouble(it);
  if (PyLong_Check(it) != 0) return integer_of(value, name);
  if (PyIndex_Check(it) != 0) {
    const nb::object index = nb::steal(PyNumber_Index(it));
    if (!index.is_valid()) throw nb::python_error();
    return integer_of(index, name);
  }
  throw nb::type_error(
      ("parameter '" + name + "' must be a str, an int, a float or a bool, not " + class_name(value)).c_str());
}

}  // namespace

Parameters parameters_of(nb::handle mapping) {
  Parameters parameters;
  if (mapping.is_none()) return parameters;
  const nb::object named = PyDict_Check(mapping.ptr()) != 0
                               ? nb::borrow(mapping)
                               : nb::handle(reinterpret_cast<PyObject*>(&PyDict_Type))(mapping);
  for (auto [key, value] : nb::borrow<nb::dict>(named)) {
    if (PyUnicode_Check(key.ptr()) == 0) {
      throw nb::type_error(("the name of a parameter must be a str, not " + class_name(key)).c_str());
    }
    const auto name = nb::cast<std::string>(key);
    parameters.emplace(name, parameter_of(value, name));
  }
  return parameters;
}

nb::object mapping_of(const Parameters& parameters) {
  nb::dict named;
  for (const auto& [name, parameter] : parameters) {
    named[nb::str(name.data(), name.size())] = std::visit([](const auto& value) { return nb::cast(value); }, parameter);
  }
  nb::object proxy = nb::steal(PyDictProxy_New(named.ptr()));
  if (!proxy.is_valid()) throw nb::python_error();
  return proxy;
}

}  // namespace remotemedia::python
