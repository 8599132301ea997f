// SPDX-License-Identifier: Apache-2.0
//
// PyTensor: what Python's TensorBuffer is.

#pragma once

#include <nanobind/nanobind.h>

#include <utility>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::python {

/// All of it with the GIL.
class PyTensor {
 public:
  explicit PyTensor(TensorBuffer tensor) noexcept : tensor_(std::move(tensor)) {}

  /// Errors:  invalid_tensor after release().
  const TensorBuffer& get() const;

  bool released() const noexcept { return released_; }

  /// Ends this object's hold, once nobody is InUse of it, and unless somebody knows the elements by nothing but their
  /// address: they stay with it then.
  void release() noexcept;

  /// The tensor itself, not a copy, for work without the GIL. Made and destroyed with it.
  class InUse {
   public:
    /// Errors:  as get().
    explicit InUse(PyTensor& owner) : owner_(owner), tensor_(owner.get()) { ++owner_.users_; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    ~InUse() {
      --owner_.users_;
      owner_.let_go();
    }

    const TensorBuffer& tensor() const noexcept { return tensor_; }

   private:
    PyTensor& owner_;
    const TensorBuffer& tensor_;
  };

  /// From here on somebody reads the elements by their address for as long as this object lives.
  void lend_address() noexcept { address_lent_ = true; }

  // Of remotemedia.TensorBuffer, for those who are given a Python object.
  static const TensorBuffer& of(nanobind::handle object);

 private:
  void let_go() noexcept;

  TensorBuffer tensor_;
  int users_ = 0;
  bool released_ = false;
  bool address_lent_ = false;
};

/// A new remotemedia.TensorBuffer.
nanobind::object tensor_object(TensorBuffer tensor);

/// Extents: an int, or a sequence of them.
///
/// Errors:  TypeError; invalid_tensor for what no tensor has.
Dims dims_of(nanobind::handle extents);

nanobind::tuple tuple_of(const Dims& dims);

/// The same elements as unsigned integers of their width, for those who have no word for their dtype.
TensorBuffer carried(const TensorBuffer& tensor);

/// Those integers.
///
/// Errors:  invalid_tensor where none is as wide.
DataType carrier_of(DataType dtype);

}  // namespace remotemedia::python
