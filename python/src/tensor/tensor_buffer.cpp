// SPDX-License-Identifier: Apache-2.0
//
// remotemedia.TensorBuffer.

#include "remotemedia/tensor/tensor_buffer.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "../bindings.h"
#include "../gil.h"
#include "../seconds.h"
#include "buffer_protocol.h"
#include "data_type.h"
#include "dlpack_protocol.h"
#include "numpy_protocol.h"
#include "py_tensor.h"
#include "tensor_index.h"
#include "tensor_pickle.h"
#include "torch_protocol.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

PyTensor allocate(nb::handle shape, nb::handle dtype, SharedMemoryAllocator* allocator) {
  const Dims extents = dims_of(shape);
  const DataType type = data_type_of(dtype);
  const NoGil others_go_on;
  return PyTensor(allocator != nullptr ? TensorBuffer::allocate(extents, type, *allocator)
                                       : TensorBuffer::allocate(extents, type));
}

PyTensor from_bytes(nb::handle data, nb::handle shape, nb::handle dtype) {
  return PyTensor(
      tensor_over(ForeignBuffer(data, PyBUF_CONTIG_RO), dims_of(shape), data_type_of(dtype)).as_read_only());
}

std::string to_shared_memory(PyTensor& self, SharedMemoryAllocator* allocator) {
  const PyTensor::InUse use(self);  // the tensor keeps what it exports
  const NoGil others_go_on;
  return use.tensor().to_shared_memory(allocator);
}

PyTensor from_shared_memory(const std::string& id, double timeout) {
  const Duration limit = duration_of("timeout", timeout);
  const NoGil others_go_on;
  return PyTensor(TensorBuffer::from_shared_memory(id, limit));
}

nb::bytes to_bytes(const PyTensor& self) {
  const TensorBuffer tensor = self.get();
  nb::object made = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(tensor.nbytes())));
  if (!made.is_valid()) throw nb::python_error();
  auto* const bytes = reinterpret_cast<std::byte*>(PyBytes_AsString(made.ptr()));
  if (tensor.dtype() == DataType::bytes) {
    std::memcpy(bytes, tensor.data(), tensor.nbytes());
  } else {
    TensorBuffer::from_foreign(bytes, tensor.shape(), tensor.dtype(), nullptr, false).assign(tensor);
  }
  return nb::borrow<nb::bytes>(made);
}

nb::object whole_or_tuple(const nb::args& extents) {
  return extents.size() == 1 ? nb::object(extents[0]) : nb::object(extents);
}

Py_ssize_t length(const PyTensor& self) {
  if (self.get().shape().empty()) throw nb::type_error("a tensor of no axes has no length");
  return static_cast<Py_ssize_t>(self.get().shape()[0]);
}

nb::object iterator(nb::handle self) {
  if (PyTensor::of(self).shape().empty()) throw nb::type_error("a tensor of no axes cannot be iterated over");
  return nb::steal(PySeqIter_New(self.ptr()));
}

std::string description(const PyTensor& self) {
  if (self.released()) return "TensorBuffer(freed)";
  const TensorBuffer& tensor = self.get();
  return "TensorBuffer(shape=" + to_string(tensor.shape()) + ", dtype='" + std::string(to_string(tensor.dtype())) +
         "', storage='" + std::string(to_string(tensor.storage())) + "', device='" + to_string(tensor.device()) + "'" +
         (tensor.read_only() ? ", read-only)" : ")");
}

template <class Get>
auto property(Get get) {
  return [get](const PyTensor& self) { return get(self.get()); };
}

void define_makers(nb::class_<PyTensor>& type) {
  type.def_static("allocate", &allocate, "shape"_a, "dtype"_a.none() = "float32", nb::kw_only(),
                  "allocator"_a.none() = nb::none(),
                  "New memory, not initialised: of this process, or of `allocator`.\n\n"
                  "Raises:\n"
                  "    InvalidTensor: No tensor has such a shape or dtype.\n"
                  "    OutOfMemory, QuotaExceeded: As SharedMemoryAllocator.allocate_tensor.",
                  nb::sig("def allocate(shape: collections.abc.Sequence[int] | int, dtype: typing.Any = 'float32', *, "
                          "allocator: SharedMemoryAllocator | None = None) -> TensorBuffer"))
      .def_static(
          "from_numpy", [](nb::handle array, bool zero_copy) { return PyTensor(from_numpy(array, zero_copy)); },
          "array"_a, nb::kw_only(), "zero_copy"_a = true,
          "A view of the array's memory, read-only as it is; with zero_copy=False a copy. Arrays of text are copied,\n"
          "to a tensor of 'bytes'.\n\n"
          "Raises:\n"
          "    InvalidTensor: No tensor has such elements; the message says what to do.\n"
          "    ZeroCopyUnavailable: Only a copy could do it.",
          nb::sig("def from_numpy(array: numpy.typing.NDArray[typing.Any], *, zero_copy: bool = True) -> TensorBuffer"))
      .def_static("from_bytes", &from_bytes, "data"_a, "shape"_a, "dtype"_a.none(),
                  "A read-only view of `data`, which it keeps; of 'bytes' elements behind their lengths.\n\n"
                  "Raises:\n"
                  "    InvalidTensor: The shape takes another number of bytes.",
                  nb::sig("def from_bytes(data: bytes | bytearray | memoryview, shape: collections.abc.Sequence[int] | "
                          "int, dtype: typing.Any) -> TensorBuffer"))
      .def_static(
          "from_dlpack",
          [](nb::handle exporter, nb::handle copy) { return PyTensor(from_dlpack_exporter(exporter, copy)); },
          "exporter"_a, nb::kw_only(), "copy"_a.none() = nb::none(),
          "A view of what has `__dlpack__`. Read-only when the exporter says so, or cannot say: an unversioned\n"
          "capsule.\n\n"
          "Args:\n"
          "    exporter: Of any library; or a capsule, which is used up.\n"
          "    copy: None copies where the exporter must, True always, False never.\n\n"
          "Raises:\n"
          "    InvalidTensor: It contradicts itself, or has elements that no tensor has.\n"
          "    ZeroCopyUnavailable: Its memory cannot be viewed from here. A BufferError, as the standard wants.",
          nb::sig("def from_dlpack(exporter: typing.Any, *, copy: bool | None = None) -> TensorBuffer"))
      .def_static(
          "from_torch", [](nb::handle tensor, bool zero_copy) { return PyTensor(from_torch(tensor, zero_copy)); },
          "tensor"_a, nb::kw_only(), "zero_copy"_a = true,
          "A view of the tensor's memory; with zero_copy=False a copy.\n\n"
          "Raises:\n"
          "    InvalidTensor: It requires grad or carries a conj or neg bit; the message has the remedy.",
          nb::sig("def from_torch(tensor: typing.Any, *, zero_copy: bool = True) -> TensorBuffer"))
      .def_static("from_shared_memory", &from_shared_memory, "id"_a, nb::kw_only(), "timeout"_a = 5.0,
                  "A read-only view of a tensor that another process of this user exported.\n\n"
                  "Raises:\n"
                  "    DeadlineExceeded: The exporter does not answer.\n"
                  "    SharedMemoryUnavailable: There is none, that is no id at all, or it refuses.",
                  nb::sig("def from_shared_memory(id: str, *, timeout: float = 5.0) -> TensorBuffer"));
}

void define_properties(nb::class_<PyTensor>& type) {
  type.def_prop_ro("shape", property([](const TensorBuffer& tensor) { return tuple_of(tensor.shape()); }),
                   nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro("strides", property([](const TensorBuffer& tensor) { return tuple_of(tensor.strides()); }),
                   "In elements; negative and 0 are possible.", nb::sig("def strides(self) -> tuple[int, ...]"))
      .def_prop_ro("dtype", property([](const TensorBuffer& tensor) { return data_type_object(tensor.dtype()); }),
                   nb::sig("def dtype(self) -> DataType"))
      .def_prop_ro("device", property([](const TensorBuffer& tensor) { return to_string(tensor.device()); }),
                   "\"cpu\", or as torch writes it: \"cuda:0\".")
      .def_prop_ro("storage",
                   property([](const TensorBuffer& tensor) { return std::string(to_string(tensor.storage())); }),
                   nb::sig("def storage(self) -> typing.Literal['heap', 'shared_memory', 'gpu', 'foreign']"))
      .def_prop_ro("nbytes", property([](const TensorBuffer& tensor) { return tensor.nbytes(); }),
                   "Of the elements, without gaps.")
      .def_prop_ro("ndim", property([](const TensorBuffer& tensor) { return tensor.shape().size(); }))
      .def_prop_ro("read_only", property([](const TensorBuffer& tensor) { return tensor.read_only(); }))
      .def_prop_ro("is_contiguous", property([](const TensorBuffer& tensor) { return tensor.is_contiguous(); }),
                   "Row-major without gaps.")
      .def_prop_ro("data_ptr",
                   property([](const TensorBuffer& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.data()); }),
                   "The address of the first element. Good for nothing once the tensor is gone or freed.");
}

void define_views(nb::class_<PyTensor>& type) {
  type.def(
          "reshape",
          [](const PyTensor& self, const nb::args& shape) {
            return PyTensor(self.get().reshape(dims_of(whole_or_tuple(shape))));
          },
          "A view with other extents, one of which may be -1.\n\n"
          "Raises:\n"
          "    InvalidTensor: They make another number of elements.\n"
          "    ZeroCopyUnavailable: Only a copy could do it.",
          nb::sig("def reshape(self, *shape: int) -> TensorBuffer"))
      .def(
          "transpose",
          [](const PyTensor& self, const nb::args& axes) {
            const TensorBuffer& tensor = self.get();
            return PyTensor(axes.empty() ? tensor.transpose() : tensor.transpose(dims_of(whole_or_tuple(axes))));
          },
          "A view with the axes in another order; none: reversed.",
          nb::sig("def transpose(self, *axes: int) -> TensorBuffer"))
      .def(
          "as_read_only", [](const PyTensor& self) { return PyTensor(self.get().as_read_only()); },
          "A view that does not let write.")
      .def(
          "copy",
          [](const PyTensor& self, SharedMemoryAllocator* allocator) {
            const TensorBuffer tensor = self.get();
            const NoGil others_go_on;
            return PyTensor(allocator != nullptr ? tensor.copy(*allocator) : tensor.copy());
          },
          nb::kw_only(), "allocator"_a.none() = nb::none(), "A row-major copy in new memory, as allocate().",
          nb::sig("def copy(self, *, allocator: SharedMemoryAllocator | None = None) -> TensorBuffer"))
      .def(
          "__getitem__", [](const PyTensor& self, nb::handle index) { return PyTensor(indexed(self.get(), index)); },
          "index"_a.none(), nb::sig("def __getitem__(self, index: typing.Any) -> TensorBuffer"))
      .def("__len__", &length)
      .def("__iter__", &iterator, nb::sig("def __iter__(self) -> collections.abc.Iterator[TensorBuffer]"))
      .def("__repr__", &description);
}

void define_protocols(nb::class_<PyTensor>& type) {
  type.def("to_shared_memory", &to_shared_memory, nb::kw_only(), "allocator"_a.none() = nb::none(),
           "An id that another process of this user can open while this buffer or an importer lives.\n\n"
           "Elements in shared memory are shown as they are: importers see later writes. Others are copied there, a\n"
           "snapshot with each call.\n\n"
           "Raises:\n"
           "    SharedMemoryUnavailable: The system refuses.",
           nb::sig("def to_shared_memory(self, *, allocator: SharedMemoryAllocator | None = None) -> str"))
      .def("to_numpy", &to_numpy, "A view, read-only when the buffer is.",
           nb::sig("def to_numpy(self) -> numpy.typing.NDArray[typing.Any]"))
      .def(
          "to_torch",
          [](const PyTensor& self, nb::handle device, bool allow_readonly) {
            return to_torch(self.get(), device, allow_readonly);
          },
          nb::kw_only(), "device"_a.none() = nb::none(), "allow_readonly"_a = false,
          "A torch.Tensor over the same memory. Read-only memory is cloned unless allowed, for torch would write to\n"
          "it; negative strides always are, for torch has none.",
          nb::sig("def to_torch(self, *, device: str | None = None, allow_readonly: bool = False) -> typing.Any"))
      .def("to_bytes", &to_bytes, "A copy of the elements in row-major order.")
      .def("__array__", &array, "dtype"_a.none() = nb::none(), nb::kw_only(), "copy"_a.none() = nb::none(),
           nb::sig("def __array__(self, dtype: typing.Any = None, *, copy: bool | None = None) -> "
                   "numpy.typing.NDArray[typing.Any]"))
      .def_prop_ro("__array_interface__", &array_interface,
                   nb::sig("def __array_interface__(self) -> dict[str, typing.Any]"))
      .def(
          "__dlpack__",
          [](const PyTensor& self, nb::handle stream, nb::handle max_version, nb::handle dl_device, nb::handle copy) {
            return dlpack_capsule(self.get(), stream, max_version, dl_device, copy);
          },
          nb::kw_only(), "stream"_a.none() = nb::none(), "max_version"_a.none() = nb::none(),
          "dl_device"_a.none() = nb::none(), "copy"_a.none() = nb::none(),
          nb::sig("def __dlpack__(self, *, stream: typing.Any = None, max_version: tuple[int, int] | None = None, "
                  "dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> typing.Any"))
      .def("__dlpack_device__", property([](const TensorBuffer& tensor) {
             return nb::make_tuple(static_cast<int>(tensor.device().type), tensor.device().index);
           }),
           nb::sig("def __dlpack_device__(self) -> tuple[int, int]"));
}

}  // namespace

void bind_tensor_buffer(nb::module_& m) {
  static PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
                                {Py_bf_releasebuffer, reinterpret_cast<void*>(&release_buffer)},
                                {0, nullptr}};
  auto type = nb::class_<PyTensor>(m, "TensorBuffer", nb::is_weak_referenceable(), nb::type_slots(slots),
                                   "A typed view of memory that it keeps alive: it outlives the allocator, session, "
                                   "client and worker it came from.\n\n"
                                   "NumPy, the buffer protocol and DLPack take it without a copy. Equal and hashed by "
                                   "identity. Made with allocate,\n"
                                   "from_numpy, from_torch, from_dlpack, from_bytes or from_shared_memory. In a forked "
                                   "child views stay readable and\n"
                                   "new memory is heap.");
  define_makers(type);
  define_properties(type);
  define_views(type);
  define_protocols(type);
  define_pickling(m, type);
  keep_data_type_objects(type);
}

}  // namespace remotemedia::python
