// SPDX-License-Identifier: Apache-2.0

#include "py_tensor.h"

#include <nanobind/stl/string.h>

#include <array>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

std::int64_t extent_of(nb::handle extent) {
  const Py_ssize_t number = PyNumber_AsSsize_t(extent.ptr(), PyExc_OverflowError);
  if (number != -1 || PyErr_Occurred() == nullptr) return number;
  if (PyErr_ExceptionMatches(PyExc_OverflowError) == 0) throw nb::python_error();
  PyErr_Clear();
  throw Error(ErrorCode::invalid_tensor,
              "an extent of " + nb::cast<std::string>(nb::repr(extent)) + " is more than can be counted");
}

Dims dims_of_tuple(nb::handle extents) {
  std::array<std::int64_t, kMaxRank> numbers{};
  const auto rank = static_cast<std::size_t>(PyTuple_Size(extents.ptr()));
  if (rank > kMaxRank) {
    throw Error(ErrorCode::invalid_tensor,
                std::to_string(rank) + " axes: " + std::to_string(kMaxRank) + " are possible");
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    numbers[axis] = extent_of(PyTuple_GetItem(extents.ptr(), static_cast<Py_ssize_t>(axis)));
  }
  return Dims(std::span<const std::int64_t>(numbers.data(), rank));
}

}  // namespace

const TensorBuffer& PyTensor::get() const {
  if (released_) {
    throw Error(ErrorCode::invalid_tensor, "this TensorBuffer was freed: its other views are valid still");
  }
  return tensor_;
}

void PyTensor::release() noexcept {
  released_ = true;
  let_go();
}

void PyTensor::let_go() noexcept {
  if (released_ && users_ == 0 && !address_lent_) tensor_ = {};
}

const TensorBuffer& PyTensor::of(nb::handle object) { return nb::inst_ptr<PyTensor>(object)->get(); }

nb::object tensor_object(TensorBuffer tensor) {
  nb::object object = nb::inst_alloc(nb::type<PyTensor>());
  new (nb::inst_ptr<PyTensor>(object)) PyTensor(std::move(tensor));
  nb::inst_mark_ready(object);
  return object;
}

Dims dims_of(nb::handle extents) {
  if (PyTuple_Check(extents.ptr()) != 0) return dims_of_tuple(extents);
  if (PyIndex_Check(extents.ptr()) != 0) return {extent_of(extents)};
  if (PyUnicode_Check(extents.ptr()) != 0) throw nb::type_error("a shape is an int or a sequence of ints, not str");
  std::vector<std::int64_t> numbers;
  for (const nb::handle extent : nb::iter(extents)) numbers.push_back(extent_of(extent));
  return Dims(std::span<const std::int64_t>(numbers));
}

nb::tuple tuple_of(const Dims& dims) {
  nb::object tuple = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(dims.size())));
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    PyTuple_SetItem(tuple.ptr(), static_cast<Py_ssize_t>(axis), PyLong_FromLongLong(dims[axis]));
  }
  return nb::borrow<nb::tuple>(tuple);
}

DataType carrier_of(DataType dtype) {
  switch (itemsize(dtype)) {
    case 1:
      return DataType::uint8;
    case 2:
      return DataType::uint16;
    case 4:
      return DataType::uint32;
    case 8:
      return DataType::uint64;
    default:
      throw Error(ErrorCode::invalid_tensor, "no integer is as wide as " + std::string(to_string(dtype)));
  }
}

TensorBuffer carried(const TensorBuffer& tensor) {
  const auto offset = static_cast<std::size_t>(tensor.data() - tensor.block().data());
  const TensorLayout layout{carrier_of(tensor.dtype()), tensor.shape(), tensor.strides()};
  const TensorBuffer view = TensorBuffer::view_of(tensor.block(), offset, layout, tensor.device());
  return tensor.read_only() ? view.as_read_only() : view;
}

}  // namespace remotemedia::python
