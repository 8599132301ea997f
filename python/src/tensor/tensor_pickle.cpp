// SPDX-License-Identifier: Apache-2.0

#include "tensor_pickle.h"

#include <nanobind/stl/string.h>

#include <chrono>
#include <string>
#include <utility>

#include "../gil.h"
#include "buffer_protocol.h"
#include "data_type.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

/// The bytes of a contiguous tensor, whatever its dtype.
nb::object bytes_view(const TensorBuffer& tensor) {
  const auto offset = static_cast<std::size_t>(tensor.data() - tensor.block().data());
  const TensorLayout bytes = row_major({static_cast<std::int64_t>(tensor.nbytes())}, DataType::uint8);
  const TensorBuffer view = TensorBuffer::view_of(tensor.block(), offset, bytes);
  return tensor_object(tensor.read_only() ? view.as_read_only() : view);
}

// What pickle calls to make it again: `data` is bytes of the stream (bytearray where they may be written), or what the
// reader was given out of band.
PyTensor unpickled(nb::handle data, nb::handle shape, nb::handle dtype) {
  return PyTensor(tensor_over(ForeignBuffer(data, PyBUF_CONTIG_RO), dims_of(shape), data_type_of(dtype)));
}

nb::object pickled_bytes(const nb::object& bytes, bool read_only, int protocol) {
  if (protocol >= 5) return nb::module_::import_("pickle").attr("PickleBuffer")(bytes);
  nb::object copied = nb::steal(read_only ? PyBytes_FromObject(bytes.ptr()) : PyByteArray_FromObject(bytes.ptr()));
  if (!copied.is_valid()) throw nb::python_error();
  return copied;
}

nb::object reduce(nb::handle_t<PyTensor> self, int protocol) {
  const TensorBuffer& tensor = PyTensor::of(self);
  if (!is_host(tensor.device().type)) {
    throw Error(ErrorCode::zero_copy_unavailable,
                "a tensor on " + to_string(tensor.device()) + " is not pickled: to_torch(device='cpu') copies it");
  }
  const nb::object functions = nb::module_::import_("remotemedia.core.pickled_tensor");
  if (tensor.storage() == StorageKind::shared_memory && tensor.dtype() != DataType::bytes) {
    std::string id;
    {
      const PyTensor::InUse use(*nb::inst_ptr<PyTensor>(self));
      const NoGil others_go_on;
      id = use.tensor().lend();
    }
    return nb::make_tuple(functions.attr("open_shared"), nb::make_tuple(id));
  }
  const TensorBuffer whole = tensor.is_contiguous() ? tensor : tensor.copy();
  return nb::make_tuple(functions.attr("view_bytes"),
                        nb::make_tuple(pickled_bytes(bytes_view(whole), whole.read_only(), protocol),
                                       tuple_of(whole.shape()), std::string(to_string(whole.dtype()))));
}

}  // namespace

void define_pickling(nb::module_& m, nb::class_<PyTensor>& type) {
  m.def("tensor_of_pickled", &unpickled, "data"_a, "shape"_a, "dtype"_a,
        nb::sig("def tensor_of_pickled(data: bytes | bytearray | memoryview, shape: tuple[int, ...], dtype: str) -> "
                "TensorBuffer"));
  type.def("__reduce_ex__", &reduce, "protocol"_a,
           nb::sig("def __reduce_ex__(self, protocol: typing.SupportsIndex) -> tuple[typing.Any, ...]"))
      .def("__copy__", [](const PyTensor& self) { return PyTensor(self.get()); })
      .def(
          "__deepcopy__", [](const PyTensor& self, nb::handle) { return PyTensor(self.get().copy()); }, "memo"_a.none(),
          nb::sig("def __deepcopy__(self, memo: typing.Any) -> TensorBuffer"));
}

}  // namespace remotemedia::python
