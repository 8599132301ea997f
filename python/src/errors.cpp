// SPDX-License-Identifier: Apache-2.0
//
// ErrorCode to exception class: one table. The classes are Python's (remotemedia/core/errors.py), which hands
// its module over when it is imported.

#include "errors.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <system_error>

#include "bindings.h"
#include "registry/load_error.h"
#include "remotemedia/base/error.h"
#include "remotemedia/platform/os_error.h"

namespace nb = nanobind;

namespace remotemedia::python {

LoadError::~LoadError() = default;

namespace {

// Borrowed from sys.modules for the life of the interpreter.
PyObject* error_classes = nullptr;

const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::model_not_found:
      return "ModelNotFound";
    case ErrorCode::load_failed:
      return "LoadFailed";
    case ErrorCode::type_mismatch:
      return "TypeMismatch";
    case ErrorCode::out_of_memory:
      return "OutOfMemory";
    case ErrorCode::quota_exceeded:
      return "QuotaExceeded";
    case ErrorCode::invalid_tensor:
      return "InvalidTensor";
    case ErrorCode::shared_memory_unavailable:
      return "SharedMemoryUnavailable";
    case ErrorCode::zero_copy_unavailable:
      return "ZeroCopyUnavailable";
    case ErrorCode::worker_unavailable:
      return "WorkerUnavailable";
    case ErrorCode::rejected:
      return "Rejected";
    case ErrorCode::deadline_exceeded:
      return "DeadlineExceeded";
    case ErrorCode::cancelled:
      return "Cancelled";
    case ErrorCode::inference_failed:
      return "InferenceFailed";
    case ErrorCode::protocol_error:
      return "ProtocolError";
    case ErrorCode::platform_not_supported:
      return "PlatformNotSupported";
    case ErrorCode::invalid_argument:
      return "InvalidArgument";
  }
  return "RemoteMediaError";
}

nb::object make_exception(const Error& error) {
  if (const auto* os = dynamic_cast<const platform::OsError*>(&error);
      os != nullptr && os->number() == static_cast<int>(std::errc::address_in_use)) {
    return nb::handle(PyExc_OSError)(os->number(), os->what());
  }
  nb::object type = nb::handle(error_classes).attr(class_name(error.code()));
  if (const auto* memory = dynamic_cast<const OutOfMemory*>(&error)) {
    const char* unit = memory->unit == OutOfMemory::Unit::bytes ? "bytes" : "models";
    return type(error.what(), nb::arg("unit") = unit, nb::arg("needed") = memory->needed,
                nb::arg("available") = memory->available, nb::arg("holders") = memory->holders);
  }
  nb::object exception = type(error.what());
  if (const auto* load = dynamic_cast<const LoadError*>(&error)) exception.attr("__cause__") = load->cause();
  return exception;
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    if (error_classes == nullptr) throw;
    if (error.code() == ErrorCode::cancelled && is_left_over()) {  // a daemon thread ends quietly
      PyErr_SetNone(PyExc_SystemExit);
      return;
    }
    set_python_error(error);
  }
}

}  // namespace

void set_python_error(const Error& error) noexcept {
  try {
    const nb::object exception = make_exception(error);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  } catch (nb::python_error& another) {
    another.restore();
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

nb::object exception_object(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return make_exception(known);
  } catch (const std::exception& other) {
    return nb::handle(PyExc_RuntimeError)(other.what());
  }
}

void bind_errors(nb::module_& m) {
  m.def(
      "set_error_classes", [](nb::object classes) { error_classes = classes.release().ptr(); }, nb::arg("module"));
  nb::register_exception_translator(translate);
}

}  // namespace remotemedia::python
