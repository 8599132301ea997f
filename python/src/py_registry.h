// SPDX-License-Identifier: Apache-2.0
//
// What the registry's bindings share: the Python model, the handle and the registry as Python holds them.

#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>

#include "gil_object.h"
#include "remotemedia/registry/model_handle.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::python {

/// The type of every model that Python loads, as the registry sees it.
using PyModel = GilObject;

class PyHandle {
 public:
  explicit PyHandle(detail::Hold hold) noexcept : hold_(std::move(hold)) {}

  nanobind::object model() const { return static_cast<const PyModel*>(checked().object())->get(); }
  const std::string& key() const { return checked().key(); }
  const std::string& model_id() const { return checked().model_id(); }
  bool released() const noexcept { return !hold_; }
  void release() noexcept {
    if (hold_) hold_.release();
  }
  PyHandle copy() const { return PyHandle(checked()); }

 private:
  const detail::Hold& checked() const;

  detail::Hold hold_;
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

 private:
  std::shared_ptr<detail::RegistryCore> core_;
};

/// A handle that names the Python function that asked.
PyHandle labelled_handle(detail::RegistryCore& core, detail::ModelSlot* slot);

}  // namespace remotemedia::python
