// SPDX-License-Identifier: Apache-2.0

#include "dlpack_protocol.h"

#include <nanobind/stl/string.h>

#include <memory>
#include <string>
#include <utility>

#include "../gil.h"
#include "../method_call.h"
#include "data_type.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/dlpack.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

constexpr const char* kVersioned = "dltensor_versioned";
constexpr const char* kLegacy = "dltensor";

// Only what nobody has taken: who takes a capsule gives it another name.
template <class Managed, const char* const& name>
void destroy(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, name) == 0) return;
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  managed->deleter(managed);
}

template <class Managed, const char* const& name>
nb::object capsule_of(Managed* managed) {
  PyObject* const capsule = PyCapsule_New(managed, name, &destroy<Managed, name>);
  if (capsule == nullptr) {
    managed->deleter(managed);
    throw nb::python_error();
  }
  return nb::steal(capsule);
}

// The tensor in it, and the capsule marked as taken; nullptr if it is of another kind.
template <class Managed>
Managed* take(nb::handle capsule, const char* name, const char* used) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) return nullptr;
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (PyCapsule_SetName(capsule.ptr(), used) != 0) throw nb::python_error();
  return managed;
}

// Deleters may be Python's: they run with the GIL, and not at all once the interpreter goes.
TensorBuffer released_with_gil(const TensorBuffer& imported) {
  const MemoryBlock& block = imported.block();
  auto kept = std::make_unique<TensorBuffer>(imported);
  MemoryBlock guarded =
      adopt_foreign_block(block.data(), block.size(), imported.read_only(), kept.get(), [](void* keep) noexcept {
        const AnyThreadGil gil;
        if (gil) delete static_cast<TensorBuffer*>(keep);
      });
  kept.release();  // NOLINT(bugprone-unused-return-value): the block has it
  const auto offset = static_cast<std::size_t>(imported.data() - block.data());
  return TensorBuffer::view_of(std::move(guarded), offset, imported.layout(), imported.device());
}

TensorBuffer from_capsule(nb::handle capsule) {
  if (PyCapsule_CheckExact(capsule.ptr()) == 0) {
    throw nb::type_error(("__dlpack__ gave no capsule but " + class_name(capsule)).c_str());
  }
  if (auto* const managed = take<dlpack::DLManagedTensorVersioned>(capsule, kVersioned, "used_dltensor_versioned")) {
    return released_with_gil(from_dlpack(managed));
  }
  if (auto* const managed = take<dlpack::DLManagedTensor>(capsule, kLegacy, "used_dltensor")) {
    return released_with_gil(from_dlpack(managed));
  }
  const char* const name = PyCapsule_GetName(capsule.ptr());
  PyErr_Clear();
  throw Error(ErrorCode::invalid_tensor, "a capsule named '" + std::string(name != nullptr ? name : "") +
                                             "' holds no tensor: one that was taken already, or none of DLPack");
}

nb::object exported_by(nb::handle exporter, nb::handle copy) {
  static const nb::handle name = PyUnicode_InternFromString("__dlpack__");
  static const nb::handle version = nb::make_tuple(dlpack::kMajorVersion, dlpack::kMinorVersion).release();
  static const nb::handle version_only = nb::make_tuple("max_version").release();
  static const nb::handle version_and_copy = nb::make_tuple("max_version", "copy").release();
  try {
    return copy.is_none() ? call_method(version_only, name, exporter, version)
                          : call_method(version_and_copy, name, exporter, version, copy);
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return call_method(name, exporter);  // of before version 1
}

// (major, minor), or (type, index).
std::pair<long, long> pair_of(nb::handle pair, const char* name) {
  if (PyTuple_Check(pair.ptr()) == 0 || PyTuple_Size(pair.ptr()) != 2) {
    throw nb::type_error((std::string(name) + " must be None or a tuple of two ints").c_str());
  }
  const auto number = [](nb::handle value) {
    const nb::object index = nb::steal(PyNumber_Index(value.ptr()));
    if (!index.is_valid()) throw nb::python_error();
    return nb::cast<long>(index);
  };
  return {number(pair[0]), number(pair[1])};
}

Error buffer_error(const std::string& what) { return {ErrorCode::zero_copy_unavailable, what}; }

void check_stream(const TensorBuffer& tensor, nb::handle stream) {
  if (stream.is_none()) return;
  const long number = nb::cast<long>(stream);
  if (number == -1) return;  // whoever asks orders the work himself
  if (is_host(tensor.device().type)) {
    throw Error(ErrorCode::invalid_argument,
                "stream " + std::to_string(number) + ": there are none in the processor's memory; None says so");
  }
  if (number != 1) {
    throw Error(ErrorCode::invalid_argument,
                "stream " + std::to_string(number) + ": what is here is ordered with the legacy default stream, 1");
  }
}

void check_device(const TensorBuffer& tensor, nb::handle dl_device) {
  if (dl_device.is_none()) return;
  const auto [type, index] = pair_of(dl_device, "dl_device");
  const Device device = tensor.device();
  if (type == static_cast<long>(device.type) && index == device.index) return;
  throw buffer_error("a tensor on " + to_string(device) + " for dl_device (" + std::to_string(type) + ", " +
                     std::to_string(index) + "): it is not moved between devices");
}

}  // namespace

nb::object dlpack_capsule(const TensorBuffer& tensor, nb::handle stream, nb::handle max_version, nb::handle dl_device,
                          nb::handle copy) {
  const bool versioned = !max_version.is_none() && pair_of(max_version, "max_version").first >= 1;
  check_stream(tensor, stream);
  check_device(tensor, dl_device);
  const bool copied = !copy.is_none() && nb::cast<bool>(copy);
  const TensorBuffer& given = copied ? tensor.copy() : tensor;
  if (!versioned) return legacy_dlpack_capsule(given);
  return capsule_of<dlpack::DLManagedTensorVersioned, kVersioned>(
      to_dlpack(given, copied ? DlpackCopied::yes : DlpackCopied::no));
}

nb::object legacy_dlpack_capsule(const TensorBuffer& tensor) {
  return capsule_of<dlpack::DLManagedTensor, kLegacy>(to_dlpack_legacy(tensor));
}

TensorBuffer from_dlpack_exporter(nb::handle exporter, nb::handle copy) {
  if (!copy.is_none() && !PyBool_Check(copy.ptr())) throw nb::type_error("copy must be None, True or False");
  const bool is_capsule = PyCapsule_CheckExact(exporter.ptr()) != 0;
  if (!is_capsule && !nb::hasattr(exporter, "__dlpack__")) {
    throw nb::type_error((class_name(exporter) + " has no __dlpack__").c_str());
  }
  const TensorBuffer tensor = from_capsule(is_capsule ? nb::borrow(exporter) : exported_by(exporter, copy));
  return copy.is(Py_True) ? tensor.copy() : tensor;
}

}  // namespace remotemedia::python
