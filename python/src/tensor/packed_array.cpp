// SPDX-License-Identifier: Apache-2.0

#include "packed_array.h"

#include <nanobind/stl/string.h>

#include <string>
#include <string_view>
#include <vector>

#include "data_type.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

nb::object bytes_of(nb::handle element, std::size_t at) {
  if (PyBytes_Check(element.ptr()) != 0) return nb::borrow(element);
  if (PyUnicode_Check(element.ptr()) == 0) {
    throw Error(ErrorCode::invalid_tensor, "element " + std::to_string(at) + " is " + class_name(element) +
                                               ": an array of objects must hold bytes or str; array.astype() makes "
                                               "numbers of it");
  }
  nb::object encoded = nb::steal(PyUnicode_AsUTF8String(element.ptr()));
  if (encoded.is_valid()) return encoded;
  PyErr_Clear();
  throw Error(ErrorCode::invalid_tensor, "element " + std::to_string(at) + " is a str that UTF-8 cannot say");
}

}  // namespace

bool is_array_of_text(nb::handle array) {
  static const nb::handle dtype = PyUnicode_InternFromString("dtype");
  static const nb::handle kind = PyUnicode_InternFromString("kind");
  const auto letter = nb::cast<char>(array.attr(dtype).attr(kind));
  return letter == 'O' || letter == 'S' || letter == 'U';
}

TensorBuffer packed_of_array(nb::handle array) {
  const nb::list flat(array.attr("ravel")().attr("tolist")());
  std::vector<nb::object> kept;
  std::vector<std::string_view> elements;
  kept.reserve(flat.size());
  elements.reserve(flat.size());
  for (const nb::handle element : flat) {
    kept.push_back(bytes_of(element, kept.size()));
    char* data = nullptr;
    Py_ssize_t length = 0;
    if (PyBytes_AsStringAndSize(kept.back().ptr(), &data, &length) != 0) throw nb::python_error();
    elements.emplace_back(data, static_cast<std::size_t>(length));
  }
  return pack_bytes(elements, dims_of(array.attr("shape")));
}

nb::object array_of_packed(const TensorBuffer& tensor) {
  nb::list elements;
  for (const std::string_view element : unpack_bytes(tensor))
    elements.append(nb::bytes(element.data(), element.size()));
  const nb::module_ numpy = nb::module_::import_("numpy");
  nb::object array = numpy.attr("array")(elements, "dtype"_a = "object").attr("reshape")(tuple_of(tensor.shape()));
  if (tensor.read_only()) array.attr("setflags")("write"_a = false);
  return array;
}

}  // namespace remotemedia::python
