// SPDX-License-Identifier: Apache-2.0

#include "tensor_index.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "data_type.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

std::vector<nb::object> parts_of(nb::handle index) {
  if (PyTuple_Check(index.ptr()) == 0) return {nb::borrow(index)};
  std::vector<nb::object> parts;
  for (const nb::handle part : nb::borrow<nb::tuple>(index)) parts.push_back(nb::borrow(part));
  return parts;
}

bool takes_an_axis(const nb::object& part) { return !part.is_none() && !part.is(Py_Ellipsis); }

IndexRange range_of(nb::handle slice, std::int64_t extent) {
  Py_ssize_t start = 0;
  Py_ssize_t stop = 0;
  Py_ssize_t step = 0;
  if (PySlice_Unpack(slice.ptr(), &start, &stop, &step) != 0) throw nb::python_error();
  const Py_ssize_t count = PySlice_AdjustIndices(extent, &start, &stop, step);
  IndexRange range{.begin = start, .end = stop, .step = step};
  if (count == 0) {
    range.end = range.begin = 0;
  } else if (stop < 0) {
    range.end = std::nullopt;  // backwards to the first element
  }
  return range;
}

TensorBuffer at(const TensorBuffer& tensor, std::size_t axis, nb::handle index) {
  const Py_ssize_t number = PyNumber_AsSsize_t(index.ptr(), PyExc_IndexError);
  if (number == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  const std::int64_t extent = tensor.shape()[axis];
  if (number < -extent || number >= extent) {
    throw nb::index_error(("index " + std::to_string(number) + " is beyond axis " + std::to_string(axis) +
                           " of shape " + to_string(tensor.shape()))
                              .c_str());
  }
  return tensor.select(axis, number);
}

// An older NumPy's booleans are integers, with a warning.
bool is_boolean(nb::handle value) {
  if (PyLong_Check(value.ptr()) != 0) return PyBool_Check(value.ptr());
  const std::string name = class_name(value);
  return name == "bool" || name == "bool_";
}

}  // namespace

TensorBuffer indexed(TensorBuffer tensor, nb::handle index) {
  const std::vector<nb::object> parts = parts_of(index);
  const std::size_t rank = tensor.shape().size();
  const auto taken = static_cast<std::size_t>(std::ranges::count_if(parts, takes_an_axis));
  const auto ellipses = std::ranges::count_if(parts, [](const nb::object& part) { return part.is(Py_Ellipsis); });
  if (taken > rank) {
    throw nb::index_error(
        (std::to_string(taken) + " indices for a tensor of shape " + to_string(tensor.shape())).c_str());
  }
  if (ellipses > 1) throw nb::index_error("an index can have one ... only");
  std::size_t axis = 0;
  for (const nb::object& part : parts) {
    if (part.is_none()) {
      tensor = tensor.expand_dims(axis++);
    } else if (part.is(Py_Ellipsis)) {
      axis += rank - taken;
    } else if (PySlice_Check(part.ptr()) != 0) {
      tensor = tensor.slice(axis, range_of(part, tensor.shape()[axis]));
      ++axis;
    } else if (PyIndex_Check(part.ptr()) != 0 && !is_boolean(part)) {
      tensor = at(tensor, axis, part);
    } else {
      throw nb::type_error(("views are cut by integers, slices, ... and None, not by " + class_name(part) +
                            ": to_numpy()[...] copies what it picks")
                               .c_str());
    }
  }
  return tensor;
}

}  // namespace remotemedia::python
