// SPDX-License-Identifier: Apache-2.0

#include "numpy_protocol.h"

#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "buffer_protocol.h"
#include "data_type.h"
#include "packed_array.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

nb::handle numpy() {
  static const nb::handle module = nb::module_::import_("numpy").release();
  return module;
}

nb::handle ndarray_type() {
  static const nb::handle type = nb::object(numpy().attr("ndarray")).release();
  return type;
}

// The tensor whose elements the array shows; an empty one if they are no tensor's.
TensorBuffer lender_of(nb::handle array) {
  static const nb::handle base = PyUnicode_InternFromString("base");
  nb::object owner = nb::borrow(array);
  while (true) {
    if (PyObject_IsInstance(owner.ptr(), ndarray_type().ptr()) == 1) {
      owner = owner.attr(base);
    } else if (PyMemoryView_Check(owner.ptr()) != 0) {
      owner = owner.attr("obj");
    } else {
      break;
    }
  }
  if (owner.is_none() || !nb::isinstance<PyTensor>(owner)) return {};
  const PyTensor& tensor = *nb::inst_ptr<PyTensor>(owner);
  return tensor.released() ? TensorBuffer() : tensor.get();
}

// The array's elements as a part of the lender's memory, whose storage they keep; nothing if they do not lie there.
std::optional<TensorBuffer> part_of(const TensorBuffer& lender, const Py_buffer& view, const TensorLayout& layout) {
  if (!lender) return std::nullopt;
  const auto offset = reinterpret_cast<std::uintptr_t>(view.buf) -
                      reinterpret_cast<std::uintptr_t>(lender.block().data());  // beyond every size if it is negative
  if (!lies_within(checked(layout), offset, lender.block().size())) return std::nullopt;
  const TensorBuffer part = TensorBuffer::view_of(lender.block(), offset, layout, lender.device());
  return view.readonly != 0 ? part.as_read_only() : part;
}

TensorBuffer view_of_array(nb::handle array, nb::handle as_buffer, std::optional<DataType> carried) {
  ForeignBuffer buffer(as_buffer);
  const auto dtype = carried ? carried : data_type_from_format(buffer.view().format, buffer.view().itemsize);
  if (!dtype) data_type_of(array.attr("dtype"));  // throws, and says why
  const std::optional<TensorLayout> layout = buffer.layout(dtype.value());
  if (!layout) {
    throw Error(ErrorCode::zero_copy_unavailable, "an array whose strides " + printed(array.attr("strides")) +
                                                      " are no whole numbers of elements: zero_copy=False copies it");
  }
  if (const auto part = part_of(lender_of(array), buffer.view(), *layout)) return *part;
  return std::move(buffer).to_tensor(*layout);
}

TensorBuffer view_of_array(nb::handle array) {
  try {
    return view_of_array(array, array, std::nullopt);
  } catch (nb::python_error&) {  // NumPy puts no such dtype into a buffer
  }
  const DataType dtype = data_type_of(array.attr("dtype"));
  return view_of_array(array, array.attr("view")(to_string(carrier_of(dtype)).data()), dtype);
}

Error not_in_numpy(const TensorBuffer& tensor) {
  const std::string name(to_string(tensor.dtype()));
  if (tensor.dtype() == DataType::complex32) {
    return {ErrorCode::invalid_tensor, "NumPy has no complex32: to_torch() has"};
  }
  return {ErrorCode::invalid_tensor,
          "NumPy has no " + name + " without ml_dtypes: pip install ml_dtypes, or to_torch()"};
}

// The dtype that ml_dtypes adds to NumPy; none where it does not.
nb::object added_dtype(DataType dtype) {
  try {
    const nb::object added = nb::module_::import_("ml_dtypes").attr(to_string(dtype).data());
    return numpy().attr("dtype")(added);
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ImportError) && !error.matches(PyExc_AttributeError)) throw;
    return nb::none();
  }
}

}  // namespace

TensorBuffer from_numpy(nb::handle array, bool zero_copy) {
  if (PyObject_IsInstance(array.ptr(), ndarray_type().ptr()) != 1) {
    throw nb::type_error(("from_numpy takes a numpy.ndarray, not " + class_name(array) +
                          ": from_dlpack, from_torch and from_bytes take others, numpy.asarray makes one of most")
                             .c_str());
  }
  if (!array.type().is(ndarray_type()) && nb::hasattr(array, "mask")) {
    throw Error(ErrorCode::invalid_tensor, "a masked array, whose mask would be lost: array.filled() has none");
  }
  if (is_array_of_text(array)) {
    if (!zero_copy) return packed_of_array(array);
    throw Error(ErrorCode::zero_copy_unavailable, "an array of " + printed(array.attr("dtype")) +
                                                      ": a tensor of bytes has a copy of its elements, which "
                                                      "zero_copy=False makes; numbers are shared once "
                                                      "array.astype() has made them");
  }
  if (zero_copy) return view_of_array(array);
  return view_of_array(numpy().attr("asarray")(array, "order"_a = "C")).copy();
}

nb::object to_numpy(nb::handle object) {
  static const nb::handle asarray = nb::object(numpy().attr("asarray")).release();
  const TensorBuffer& tensor = PyTensor::of(object);
  if (!is_host(tensor.device().type)) {
    throw Error(ErrorCode::zero_copy_unavailable, "a tensor on " + to_string(tensor.device()) +
                                                      ", which NumPy cannot see: to_torch(device='cpu') copies it");
  }
  if (tensor.dtype() == DataType::bytes) return array_of_packed(tensor);
  if (buffer_format(tensor.dtype()) != nullptr) return asarray(object);
  const nb::object dtype = added_dtype(tensor.dtype());
  if (dtype.is_none()) throw not_in_numpy(tensor);
  return to_numpy(tensor_object(carried(tensor))).attr("view")(dtype);
}

nb::object array(nb::handle object, nb::handle dtype, nb::handle copy) {
  const TensorBuffer& tensor = PyTensor::of(object);
  nb::object array;
  try {
    array = to_numpy(object);
  } catch (const Error& error) {
    if (!tensor) throw;
    throw nb::type_error(error.what());
  }
  const bool never = copy.is(Py_False);
  if (never && tensor.dtype() == DataType::bytes) {
    throw nb::value_error("elements of any length are copied, and copy is False");
  }
  if (!dtype.is_none() && !array.attr("dtype").equal(numpy().attr("dtype")(dtype))) {
    if (never) throw nb::value_error("another dtype takes a copy, and copy is False");
    return array.attr("astype")(dtype);
  }
  return copy.is_none() || never ? array : array.attr("copy")();
}

nb::dict array_interface(PyTensor& self) {
  const TensorBuffer& tensor = self.get();
  const char* const typestr = array_typestr(tensor.dtype());
  if (*typestr == '\0' || !is_host(tensor.device().type)) {
    throw nb::attribute_error("__array_interface__ has no word for this dtype or device: DLPack has");
  }
  self.lend_address();
  nb::dict interface;
  interface["version"] = 3;
  interface["shape"] = tuple_of(tensor.shape());
  interface["typestr"] = typestr;
  interface["data"] = nb::make_tuple(reinterpret_cast<std::uintptr_t>(tensor.data()), tensor.read_only());
  interface["strides"] = nb::none();
  if (!tensor.is_contiguous()) {
    nb::list strides;
    for (const std::int64_t stride : tensor.strides()) {
      strides.append(stride * static_cast<std::int64_t>(itemsize(tensor.dtype())));
    }
    interface["strides"] = nb::tuple(strides);
  }
  return interface;
}

}  // namespace remotemedia::python
