// SPDX-License-Identifier: Apache-2.0
//
// ModelRegistry.get_or_load: a hit is answered here, everything else is Python's `_load`.
//
// A plain method of CPython, not one of nanobind's: when the interpreter goes, CPython before 3.14 unwinds the daemon
// threads, and one that loads must not have a frame on its stack that cannot be unwound.

#include <nanobind/nanobind.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "../bindings.h"
#include "caller_label.h"
#include "origin.h"
#include "py_registry.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

constexpr const char* kDoc =
    "get_or_load($self, key, loader, *, arguments=None, memory_bytes=None, keep_alive=None, device='cpu', "
    "timeout=None, progress=None)\n--\n\n"
    "A hold on the model `key`, loaded exactly once however many callers ask at the same time.\n\n"
    "The loader runs in this thread, or in one of its own when there is a timeout; the others wait.\n\n"
    "Args:\n"
    "    key: By convention \"<model>@<device>\", with every option that makes another model.\n"
    "    loader: Called with `arguments`; a parameter named `progress` gets a function\n"
    "        progress(fraction: float | None, message: str = \"\").\n"
    "    arguments: Keyword arguments of the loader.\n"
    "    memory_bytes: What the model takes at most, unless it says so itself by memory_usage().\n"
    "    keep_alive: How long it stays after its last hold: seconds or \"90\", \"300ms\", \"5m\", \"1h30m\";\n"
    "        0 gone at once, negative no time limit, None the registry's ttl on a load, unchanged on a hit.\n"
    "    device: What the model is listed under.\n"
    "    timeout: Seconds that this caller waits; the load goes on for the others.\n"
    "    progress: Called with what the loader reports, whoever's loader it is.\n\n"
    "Raises:\n"
    "    LoadFailed: The loader raised; `__cause__` is what. The next call tries again. Also when loaders\n"
    "        would wait for each other in a ring.\n"
    "    OutOfMemory: Nothing that may go makes room; nothing was evicted.\n"
    "    DeadlineExceeded: The timeout passed.\n"
    "    TypeError: An argument has the wrong type.\n"
    "    ValueError: keep_alive does not parse, memory_bytes is negative, the key is empty.";

struct Options {
  nb::handle arguments, memory_bytes, keep_alive, device, timeout, progress;
};

// None if there is one that has another name.
std::optional<Options> read_options(PyObject* names, PyObject* const* values) {
  static const std::array<std::pair<PyObject*, nb::handle Options::*>, 6> known = {{
      {PyUnicode_InternFromString("arguments"), &Options::arguments},
      {PyUnicode_InternFromString("memory_bytes"), &Options::memory_bytes},
      {PyUnicode_InternFromString("keep_alive"), &Options::keep_alive},
      {PyUnicode_InternFromString("device"), &Options::device},
      {PyUnicode_InternFromString("timeout"), &Options::timeout},
      {PyUnicode_InternFromString("progress"), &Options::progress},
  }};
  Options options;
  const Py_ssize_t count = names != nullptr ? PyTuple_Size(names) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const auto* const option = std::ranges::find(known, PyTuple_GetItem(names, i), &decltype(known)::value_type::first);
    if (option == known.end()) return std::nullopt;
    options.*option->second = values[i];
  }
  return options;
}

bool is_none(nb::handle option) { return !option.is_valid() || option.is_none(); }

// None or an int that is not negative.
bool is_size(nb::handle value) {
  if (is_none(value)) return true;
  int overflow = 0;
  return PyLong_CheckExact(value.ptr()) && PyLong_AsLongLongAndOverflow(value.ptr(), &overflow) >= 0 && overflow == 0;
}

// The same, or a float.
bool is_time(nb::handle value) {
  return is_size(value) || (PyFloat_CheckExact(value.ptr()) && PyFloat_AsDouble(value.ptr()) >= 0);
}

// None or a dict by names.
bool is_keywords(nb::handle value) {
  if (is_none(value)) return true;
  if (!PyDict_CheckExact(value.ptr())) return false;
  PyObject* name = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(value.ptr(), &position, &name, nullptr) != 0) {
    if (!PyUnicode_Check(name)) return false;
  }
  return true;
}

// Whether they make sense and change nothing if the model is there.
bool mean_nothing(const Options& options) {
  return is_keywords(options.arguments) && is_size(options.memory_bytes) && is_none(options.keep_alive) &&
         (!options.device.is_valid() || PyUnicode_Check(options.device.ptr())) && is_time(options.timeout) &&
         (is_none(options.progress) || PyCallable_Check(options.progress.ptr()) != 0);
}

// A handle if the model is there and there is nothing else to do, else none.
nb::object hit(nb::handle self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  if (count != 2 || !nb::inst_ready(self) || PyCallable_Check(arguments[1]) == 0 || !PyUnicode_Check(arguments[0])) {
    return {};
  }
  const std::optional<Options> options = read_options(names, arguments + count);
  if (!options || !mean_nothing(*options)) return {};
  detail::RegistryCore& core = *nb::inst_ptr<PyRegistry>(self)->core();
  detail::ModelSlot* const slot = core.try_hold(text_of(arguments[0]), typeid(PyModel));
  if (slot == nullptr) return {};
  nb::object handle = nb::cast(labelled_handle(core, slot, caller_label()));
  const nb::object kept = static_cast<const PyModel*>(slot->object)->origin();
  if (!kept.is_valid()) return handle;  // the registry was closed this very moment
  Origin& origin = *nb::inst_ptr<Origin>(kept);
  const nb::handle loader = arguments[1];
  const nb::handle its_arguments = is_none(options->arguments) ? nb::handle(Py_None) : options->arguments;
  if (!origin.is(loader, its_arguments)) [[unlikely]]
    warn_of_another_loader(slot->key, origin, Origin(loader, its_arguments));
  return handle;
}

PyObject* hit_or_null(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) noexcept {
  try {
    return hit(self, arguments, count, names).release().ptr();
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

PyObject* get_or_load(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  PyObject* const there = hit_or_null(self, arguments, count, names);
  if (there != nullptr || PyErr_Occurred() != nullptr) return there;
  PyObject* const load = PyObject_GetAttrString(self, "_load");
  if (load == nullptr) return nullptr;
  PyObject* const loaded = PyObject_Vectorcall(load, arguments, static_cast<std::size_t>(count), names);
  Py_DECREF(load);
  return loaded;
}

}  // namespace

void bind_get_or_load(nb::handle registry_type) {
  static PyMethodDef method = {"get_or_load", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&get_or_load)),
                               METH_FASTCALL | METH_KEYWORDS, kDoc};
  registry_type.attr("get_or_load") =
      nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(registry_type.ptr()), &method));
}

}  // namespace remotemedia::python
