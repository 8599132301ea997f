// SPDX-License-Identifier: Apache-2.0
//
// The buffer protocol (PEP 3118), both ways.

#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <utility>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// Slots of TensorBuffer's type. A buffer that was taken keeps the elements, whatever becomes of the object.
int get_buffer(PyObject* object, Py_buffer* view, int flags) noexcept;
void release_buffer(PyObject* object, Py_buffer* view) noexcept;

/// Somebody's buffer: what keeps it, its address and its layout.
class ForeignBuffer {
 public:
  /// Errors:  what the exporter raises.
  explicit ForeignBuffer(nanobind::handle exporter, int flags = PyBUF_RECORDS_RO);
  ForeignBuffer(const ForeignBuffer&) = delete;
  ForeignBuffer(ForeignBuffer&& other) noexcept : view_(std::exchange(other.view_, nullptr)) {}
  ForeignBuffer& operator=(const ForeignBuffer&) = delete;
  ~ForeignBuffer();

  const Py_buffer& view() const noexcept { return *view_; }

  /// Its extents and strides, as elements of `dtype`; nothing if a stride is no whole number of elements.
  std::optional<TensorLayout> layout(DataType dtype) const;

  /// A view of it, which has the buffer from here on.
  TensorBuffer to_tensor(const TensorLayout& layout) &&;

 private:
  struct View : Py_buffer, Recycled {};

  View* view_;
};

/// A view of a contiguous buffer, which has as many bytes as the shape takes; of bytes, whose lengths are checked.
///
/// Errors:  invalid_tensor.
TensorBuffer tensor_over(ForeignBuffer buffer, const Dims& shape, DataType dtype);

}  // namespace remotemedia::python
