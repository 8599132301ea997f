// SPDX-License-Identifier: Apache-2.0

#include "tensor_maps.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../tensor/data_type.h"
#include "../tensor/numpy_protocol.h"
#include "../tensor/py_tensor.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

nb::str str_of(std::string_view text) { return nb::str(text.data(), text.size()); }

// A function of remotemedia/core/array_like.py.
nb::object function(const char* name) { return nb::module_::import_("remotemedia.core.array_like").attr(name); }

nb::handle ndarray_type() {
  static const nb::handle type = nb::object(nb::module_::import_("numpy").attr("ndarray")).release();
  return type;
}

bool has_no_dtype(nb::handle value) {
  PyObject* const it = value.ptr();
  return PyFloat_CheckExact(it) != 0 || PyLong_CheckExact(it) != 0 || PyBool_Check(it) != 0 ||
         PyList_CheckExact(it) != 0 || PyTuple_CheckExact(it) != 0 || PyComplex_CheckExact(it) != 0;
}

std::string called(std::string_view role, const std::string& name) { return std::string(role) + " '" + name + "'"; }

TensorBuffer tensor_of(nb::handle value, const TensorSpec* spec, std::string_view role, const std::string& name) {
  if (nb::isinstance<PyTensor>(value)) return PyTensor::of(value);
  if (value.type().is(ndarray_type())) {
    try {
      return from_numpy(value, true);
    } catch (const Error&) {  // the long way copies what it can, or says more
    }
  }
  const bool is_text = spec != nullptr && spec->dtype == DataType::bytes && PyBytes_Check(value.ptr()) != 0;
  if (is_text) return pack_bytes(std::vector{nb::cast<std::string_view>(value)}, {});
  const nb::object made =
      spec != nullptr && spec->dtype != DataType::bytes && has_no_dtype(value)
          ? function("as_tensor_of_dtype")(value, data_type_object(spec->dtype), str_of(called(role, name)))
          : function("as_tensor")(value, nb::arg("name") = str_of(called(role, name)));
  return PyTensor::of(made);
}

void check_on_host(const TensorBuffer& tensor, std::string_view role, const std::string& name) {
  if (!tensor || is_host(tensor.device().type)) return;
  throw Error(ErrorCode::invalid_tensor, called(role, name) + " lies on " + to_string(tensor.device()) +
                                             ", which no other process can read: tensor.cpu() copies it");
}

void add(TensorMap& tensors, nb::handle value, std::string name, const std::vector<TensorSpec>& specs,
         std::string_view role) {
  const auto spec = std::ranges::find(specs, name, &TensorSpec::name);
  TensorBuffer tensor = tensor_of(value, spec != specs.end() ? &*spec : nullptr, role, name);
  check_on_host(tensor, role, name);
  tensors.emplace(std::move(name), std::move(tensor));
}

}  // namespace

TensorMap tensors_of(nb::handle mapping, const std::vector<TensorSpec>& specs, std::string_view role) {
  const nb::object named = PyDict_Check(mapping.ptr()) != 0 ? nb::borrow(mapping) : function("as_dict")(mapping);
  TensorMap tensors;
  for (auto [key, value] : nb::borrow<nb::dict>(named)) {
    if (PyUnicode_Check(key.ptr()) == 0) {
      throw nb::type_error(("the name of an " + std::string(role) + " must be a str, not " + class_name(key)).c_str());
    }
    add(tensors, value, nb::cast<std::string>(key), specs, role);
  }
  return tensors;
}

TensorMap tensors_of(nb::handle value, std::string name, const std::vector<TensorSpec>& specs, std::string_view role) {
  TensorMap tensors;
  add(tensors, value, std::move(name), specs, role);
  return tensors;
}

nb::dict arrays_of(const TensorMap& tensors) {
  nb::dict arrays;
  for (const auto& [name, tensor] : tensors) arrays[str_of(name)] = to_numpy(tensor_object(tensor.as_read_only()));
  return arrays;
}

nb::dict dict_of(const TensorMap& tensors) {
  nb::dict named;
  for (const auto& [name, tensor] : tensors) named[str_of(name)] = tensor_object(tensor);
  return named;
}

}  // namespace remotemedia::python
