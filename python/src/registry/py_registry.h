// SPDX-License-Identifier: Apache-2.0
//
// What the registry's bindings share: the Python model, the handle and the registry as Python holds them.

#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../exit_list.h"
#include "../gil_object.h"
#include "caller_label.h"
#include "origin.h"
#include "remotemedia/registry/model_handle.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::python {

/// What Python loads, as the registry sees it: the model, and which loader made it. Empty once its registry is gone.
///
/// Threads:  with the GIL; made and destroyed with it or without.
class PyModel {
 public:
  PyModel(nanobind::object model, nanobind::object origin) noexcept
      : origin_(std::move(origin)), model_(std::move(model)) {}

  const nanobind::object& get() const noexcept { return model_.get(); }
  const nanobind::object& origin() const noexcept { return origin_.get(); }

  /// Without the GIL.
  static void let_go(void* model) noexcept {
    static_cast<PyModel*>(model)->model_.reset();
    static_cast<PyModel*>(model)->origin_.reset();
  }

 private:
  GilObject origin_;
  GilObject model_;
};

/// Holds the model twice: in the registry, and as a Python reference of its own, which the garbage collector can
/// follow and which outlives the registry. The registry's is the last to go unless the registry is gone before.
class PyHandle {
 public:
  /// Errors:  cancelled if the registry is gone.
  explicit PyHandle(detail::Hold hold);

  const nanobind::object& model() const { return checked(), model_; }
  const std::string& key() const { return checked().key(); }
  const std::string& model_id() const { return checked().model_id(); }
  bool released() const noexcept { return !hold_; }
  void release() noexcept {
    model_.reset();
    if (hold_) hold_.release();
  }
  PyHandle copy() const { return {checked(), model_}; }
  const detail::Hold& checked() const;

  static int traverse(PyObject* self, visitproc visit, void* arg) noexcept;
  static int clear(PyObject* self) noexcept;

 private:
  PyHandle(detail::Hold hold, nanobind::object model) noexcept : hold_(std::move(hold)), model_(std::move(model)) {}

  detail::Hold hold_;
  nanobind::object model_;  // goes before the hold
};

/// Closed at the latest when the interpreter exits, while destructors can still run Python.
class PyRegistry {
 public:
  explicit PyRegistry(const RegistryConfig& config);
  PyRegistry(const PyRegistry&) = delete;
  PyRegistry& operator=(const PyRegistry&) = delete;
  ~PyRegistry();

  void close() noexcept;
  const std::shared_ptr<detail::RegistryCore>& core() const noexcept { return core_; }

  static int traverse(PyObject* self, visitproc visit, void* arg) noexcept;
  static int clear(PyObject* self) noexcept;

 private:
  std::shared_ptr<detail::RegistryCore> core_;
  std::optional<ExitPlace> exit_place_;
};

/// A handle that names who asked.
PyHandle labelled_handle(detail::RegistryCore& core, detail::ModelSlot* slot, Label label);

/// Tells the log when a model that is there was asked for with another loader or other arguments.
void warn_of_another_loader(const std::string& key, Origin& origin, const Origin& asked_with);

/// Borrowed from the object.
///
/// Errors:  TypeError if it is no str, UnicodeEncodeError if it has lone surrogates.
std::string_view text_of(nanobind::handle key);

}  // namespace remotemedia::python
