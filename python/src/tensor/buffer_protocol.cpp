// SPDX-License-Identifier: Apache-2.0

#include "buffer_protocol.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "../errors.h"
#include "../gil.h"
#include "data_type.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/tensor/packed_bytes.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

// What an exported buffer points to.
struct ExportedBuffer : Recycled {
  explicit ExportedBuffer(const TensorBuffer& exported) : tensor(exported) {}

  TensorBuffer tensor;
  std::array<Py_ssize_t, kMaxRank> extents;
  std::array<Py_ssize_t, kMaxRank> strides;  // in bytes
};

bool column_major(const TensorBuffer& tensor) { return tensor.transpose().is_contiguous(); }

// nullptr if `flags` ask for nothing that this tensor has not.
const char* objection(const TensorBuffer& tensor, int flags) {
  const auto asked = [flags](int all_of) { return (flags & all_of) == all_of; };
  if (!is_host(tensor.device().type)) return "the elements are not in the processor's memory: copy them there first";
  if (buffer_format(tensor.dtype()) == nullptr) return "the buffer protocol has no word for this dtype: use DLPack";
  if (asked(PyBUF_WRITABLE) && tensor.read_only()) return "the tensor is read-only";
  const bool c = tensor.is_contiguous();
  if (asked(PyBUF_C_CONTIGUOUS) && !c) return "the tensor is not C-contiguous";
  if (asked(PyBUF_F_CONTIGUOUS) && !column_major(tensor)) return "the tensor is not Fortran-contiguous";
  if (asked(PyBUF_ANY_CONTIGUOUS) && !c && !column_major(tensor)) return "the tensor is not contiguous";
  if (!asked(PyBUF_STRIDES) && !c) return "the tensor is not C-contiguous, and its strides were not asked for";
  return nullptr;
}

void fill(Py_buffer& view, const TensorBuffer& tensor, int flags) {
  const std::size_t rank = tensor.shape().size();
  const auto itemsize = static_cast<Py_ssize_t>(remotemedia::itemsize(tensor.dtype()));
  auto exported = std::make_unique<ExportedBuffer>(tensor);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    exported->extents[axis] = static_cast<Py_ssize_t>(tensor.shape()[axis]);
    exported->strides[axis] = static_cast<Py_ssize_t>(tensor.strides()[axis]) * itemsize;
  }
  view.buf = const_cast<std::byte*>(tensor.data());
  view.len = static_cast<Py_ssize_t>(tensor.nbytes());
  view.itemsize = itemsize;
  view.readonly = tensor.read_only() ? 1 : 0;
  view.format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(buffer_format(tensor.dtype())) : nullptr;
  const bool shaped = (flags & PyBUF_ND) != 0;
  view.ndim = shaped ? static_cast<int>(rank) : 1;
  view.shape = shaped && rank > 0 ? exported->extents.data() : nullptr;
  view.strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES && rank > 0 ? exported->strides.data() : nullptr;
  view.suboffsets = nullptr;
  view.internal = exported.release();
}

}  // namespace

int get_buffer(PyObject* object, Py_buffer* view, int flags) noexcept {
  view->obj = nullptr;
  try {
    const TensorBuffer& tensor = PyTensor::of(object);
    if (const char* const why_not = objection(tensor, flags)) {
      PyErr_SetString(PyExc_BufferError, why_not);
      return -1;
    }
    fill(*view, tensor, flags);
  } catch (const Error& error) {
    set_python_error(error);
    return -1;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
    return -1;
  }
  view->obj = Py_NewRef(object);
  return 0;
}

void release_buffer(PyObject*, Py_buffer* view) noexcept { delete static_cast<ExportedBuffer*>(view->internal); }

ForeignBuffer::ForeignBuffer(nb::handle exporter, int flags) {
  auto view = std::make_unique<View>();
  if (PyObject_GetBuffer(exporter.ptr(), view.get(), flags) != 0) throw nb::python_error();
  view_ = view.release();
}

ForeignBuffer::~ForeignBuffer() {
  if (view_ == nullptr) return;
  PyBuffer_Release(view_);
  delete view_;
}

std::optional<TensorLayout> ForeignBuffer::layout(DataType dtype) const {
  const auto rank = static_cast<std::size_t>(view_->ndim);
  std::array<std::int64_t, kMaxRank> extents{};
  std::array<std::int64_t, kMaxRank> strides{};
  if (rank > kMaxRank) return std::nullopt;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    extents[axis] = view_->shape[axis];
    if (view_->strides[axis] % view_->itemsize != 0) return std::nullopt;
    strides[axis] = view_->strides[axis] / view_->itemsize;
  }
  return TensorLayout{dtype, Dims(std::span<const std::int64_t>(extents.data(), rank)),
                      Dims(std::span<const std::int64_t>(strides.data(), rank))};
}

TensorBuffer ForeignBuffer::to_tensor(const TensorLayout& layout) && {
  const LayoutSize size = checked(layout);
  auto* const first = static_cast<std::byte*>(view_->buf);
  if (first == nullptr) {  // there is no element
    return TensorBuffer::from_foreign(nullptr, layout.shape, layout.dtype, nullptr, view_->readonly != 0,
                                      layout.strides);
  }
  MemoryBlock block = adopt_foreign_block(first + size.begin, static_cast<std::size_t>(size.end - size.begin),
                                          view_->readonly != 0, view_, [](void* kept) noexcept {
                                            auto* const view = static_cast<View*>(kept);
                                            const AnyThreadGil gil;
                                            if (!gil) return;  // the interpreter's memory goes as a whole
                                            PyBuffer_Release(view);
                                            delete view;
                                          });
  view_ = nullptr;
  return detail::sound_view(std::move(block), static_cast<std::size_t>(-size.begin), layout);
}

TensorBuffer tensor_over(ForeignBuffer buffer, const Dims& shape, DataType dtype) {
  const std::int64_t there = buffer.view().len;
  if (dtype == DataType::bytes) {
    const TensorBuffer row = std::move(buffer).to_tensor(row_major({there}, DataType::uint8));
    TensorBuffer packed = detail::viewed_as(row, {dtype, shape, row_major_strides(shape), there});
    check_packed(packed);
    return packed;
  }
  const TensorLayout layout = row_major(shape, dtype);
  const std::int64_t needed = checked(layout).nbytes;
  if (there != needed) {
    throw Error(ErrorCode::invalid_tensor, std::to_string(there) + " bytes for a " + std::string(to_string(dtype)) +
                                               " tensor of shape " + to_string(shape) + ", which takes " +
                                               std::to_string(needed));
  }
  return std::move(buffer).to_tensor(layout);
}

}  // namespace remotemedia::python
