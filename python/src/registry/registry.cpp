// SPDX-License-Identifier: Apache-2.0
//
// ModelRegistry and ModelHandle.
//
// The GIL: calls keep it, for they wait for nothing. The registry's own thread takes it to destroy a Python model;
// whoever waits for that thread (clear, close) lets go of it first. Nobody waits for the GIL with a lock held.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <nanobind/typing.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "../exit_list.h"
#include "caller_label.h"
#include "load_error.h"
#include "py_registry.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/registry/keep_alive.h"
#include "remotemedia/registry/model_info.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

EvictionPolicy eviction_policy(const std::string& name) {
  if (name == "lru") return EvictionPolicy::lru;
  if (name == "lfu") return EvictionPolicy::lfu;
  if (name == "ttl") return EvictionPolicy::ttl;
  if (name == "manual") return EvictionPolicy::manual;
  throw Error(ErrorCode::invalid_argument, "eviction_policy '" + name + "' is unknown: lru, lfu, ttl or manual");
}

void log_to_python(nb::object sink) {
  auto shared = std::make_shared<GilObject>(std::move(sink));
  set_log_sink([shared](LogLevel level, std::string_view message) {
    const AnyThreadGil gil;
    if (!gil) return;
    const nb::error_scope keep_raised;
    try {
      shared->get()(static_cast<int>(level), nb::str(message.data(), message.size()));
    } catch (nb::python_error& error) {
      drop(error, shared->get());
    }
  });
}

void shut_down() {
  close_all_at_exit();
  set_log_sink({});
  keep_gil_to_this_thread();
}

nb::object get(const PyRegistry& self, nb::handle key) {
  detail::ModelSlot* const slot = self.core()->try_hold(text_of(key), typeid(PyModel));
  return slot != nullptr ? nb::cast(labelled_handle(*self.core(), slot, caller_label())) : nb::none();
}

nb::object subscribe(const PyRegistry& self, nb::object listener) {
  auto shared = std::make_shared<GilObject>(std::move(listener));
  auto call = [shared](const RegistryEvent& event) {
    const AnyThreadGil gil;
    if (!gil) return;
    try {
      shared->get()(event);
    } catch (nb::python_error& error) {
      throw std::runtime_error(error.what());
    }
  };
  // The registry owns the subscription: what ends it keeps neither.
  const std::weak_ptr<detail::RegistryCore> core = self.core();
  const std::weak_ptr<detail::Subscriber> subscriber = self.core()->subscribe(std::move(call));
  return nb::cpp_function([core, subscriber] {
    const auto alive = core.lock();
    const auto active = subscriber.lock();
    if (alive != nullptr && active != nullptr) alive->unsubscribe(active);
  });
}

// Ctrl-C ends the waiting, so the main thread looks for it now and then.
void clear(const PyRegistry& self, std::optional<double> timeout) {
  constexpr Duration kSignalCheck = std::chrono::milliseconds{100};
  const auto& core = self.core();
  std::optional<TimePoint> deadline;
  if (timeout && !(*timeout >= 0)) {
    throw Error(ErrorCode::invalid_argument, "timeout must not be negative: " + std::to_string(*timeout));
  }
  if (timeout && std::isfinite(*timeout)) deadline = later(core->clock().now(), keep_alive_from_seconds(*timeout));
  while (true) {
    const Duration left = deadline ? std::max(*deadline - core->clock().now(), Duration{0}) : Duration::max();
    try {
      const NoGil others_go_on;
      core->clear(std::min(left, kSignalCheck));
      return;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::deadline_exceeded || left <= kSignalCheck) throw;
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
}

// What remotemedia/core/model_registry.py has checked.
RegistryConfig make_config(std::optional<double> ttl_seconds, std::optional<std::size_t> max_memory_bytes,
                           std::optional<std::size_t> max_models, const std::string& policy,
                           double cleanup_interval_seconds, std::size_t max_concurrent_loads,
                           double min_residency_seconds, double failed_load_ttl_seconds) {
  RegistryConfig config;
  config.ttl = ttl_seconds ? std::optional(keep_alive_from_seconds(*ttl_seconds)) : std::nullopt;
  config.max_memory_bytes = max_memory_bytes;
  config.max_models = max_models;
  config.eviction_policy = eviction_policy(policy);
  config.cleanup_interval = keep_alive_from_seconds(cleanup_interval_seconds);
  config.max_concurrent_loads = max_concurrent_loads;
  config.min_residency = keep_alive_from_seconds(min_residency_seconds);
  config.failed_load_ttl = keep_alive_from_seconds(failed_load_ttl_seconds);
  return config;
}

void bind_handle(nb::module_& m) {
  m.attr("T") = nb::type_var("T");
  static PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&PyHandle::traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(&PyHandle::clear)},
                                {0, nullptr}};
  nb::class_<PyHandle>(
      m, "ModelHandle", nb::is_generic(), nb::is_weak_referenceable(), nb::type_slots(slots),
      nb::sig("class ModelHandle(typing.Generic[T])"),
      "A counted hold. While one is alive the model is neither evicted nor destroyed. The bare object\n"
      "that `model` gives is no hold: keep the handle.")
      .def_prop_ro("model", &PyHandle::model, "What the loader returned.", nb::sig("def model(self) -> T"))
      .def_prop_ro("key", &PyHandle::key)
      .def_prop_ro("model_id", &PyHandle::model_id, "What the model itself says, else the key.")
      .def_prop_ro(
          "scope", [](const PyHandle& self) { return self.checked(), "process"; }, nb::sig("def scope(self) -> str"))
      .def_prop_ro(
          "endpoint", [](const PyHandle& self) { return self.checked(), nb::none(); },
          nb::sig("def endpoint(self) -> str | None"), "Where the model lives when that is another process.")
      .def_prop_ro("released", &PyHandle::released)
      .def("release", &PyHandle::release,
           "Gives the hold back. Twice is once. Using the handle afterwards raises InvalidArgument.")
      .def(
          "__enter__",
          [](nb::handle_t<PyHandle> self) { return nb::inst_ptr<PyHandle>(self)->checked(), nb::borrow(self); },
          nb::sig("def __enter__(self) -> ModelHandle[T]"))
      .def(
          "__exit__", [](PyHandle& self, const nb::args&) { self.release(); },
          nb::sig("def __exit__(self, *error: object) -> None"))
      .def("__copy__", &PyHandle::copy, "Another hold.", nb::sig("def __copy__(self) -> ModelHandle[T]"))
      .def("__repr__", [](const PyHandle& self) {
        return self.released() ? std::string("ModelHandle(released)") : "ModelHandle('" + self.key() + "')";
      });
}

}  // namespace

PyHandle::PyHandle(detail::Hold hold)
    : hold_(std::move(hold)), model_(static_cast<const PyModel*>(hold_.object())->get()) {
  if (!model_.is_valid()) throw Error(ErrorCode::cancelled, "the registry was closed");
}

const detail::Hold& PyHandle::checked() const {
  if (!hold_) {
    throw Error(ErrorCode::invalid_argument, "this ModelHandle was released: ask the registry for the model again");
  }
  return hold_;
}

int PyHandle::traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  Py_VISIT(nb::inst_ptr<PyHandle>(self)->model_.ptr());
  return 0;
}

int PyHandle::clear(PyObject* self) noexcept {
  nb::inst_ptr<PyHandle>(self)->release();
  return 0;
}

PyRegistry::PyRegistry(const RegistryConfig& config) {
  if (interpreter_exits()) throw Error(ErrorCode::cancelled, "the interpreter exits: no registry can be made any more");
  core_ = detail::RegistryCore::open(config, &PyModel::let_go);
  exit_place_.emplace(ExitTurn::models, [core = core_] { core->close(); });
}

PyRegistry::~PyRegistry() {
  if (core_ == nullptr) return;
  exit_place_.reset();
  close();
}

void PyRegistry::close() noexcept {
  const NoGil others_go_on;
  core_->close();
}

// Only what the registry alone owns: a handle visits its own reference.
int PyRegistry::traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  int result = 0;
  const auto on_model = [&](void* model) {
    const nb::handle object = static_cast<const PyModel*>(model)->get();
    if (result == 0 && object.is_valid()) result = visit(object.ptr(), arg);
  };
  const auto on_failure = [&](const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const LoadError& error) {
      if (result == 0) result = visit(error.cause().ptr(), arg);
    } catch (const std::exception&) {  // the registry's own: it refers to nothing of Python
      return;
    }
  };
  nb::inst_ptr<PyRegistry>(self)->core()->visit_kept(on_model, on_failure);
  return result;
}

int PyRegistry::clear(PyObject* self) noexcept {
  nb::inst_ptr<PyRegistry>(self)->close();
  return 0;
}

PyHandle labelled_handle(detail::RegistryCore& core, detail::ModelSlot* slot, Label label) {
  return PyHandle(detail::Hold(slot, core.label(*slot, std::move(label))));
}

void warn_of_another_loader(const std::string& key, Origin& origin, const Origin& asked_with) {
  if (!origin.is_news(asked_with)) return;
  log(LogLevel::warning, "model '" + key + "' was loaded by " + origin.description() + " and now asked for with " +
                             asked_with.description() +
                             ", or with other arguments: it stays as it is. Options that make another model belong "
                             "into the key");
}

std::string_view text_of(nb::handle key) {
  if (!PyUnicode_Check(key.ptr())) {
    throw nb::type_error("a model's key must be a str");
  }
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(key.ptr(), &size);
  if (data == nullptr) throw nb::python_error();
  return {data, static_cast<std::size_t>(size)};
}

void bind_registry(nb::module_& m) {
  bind_handle(m);
  m.def("make_config", &make_config, "ttl_seconds"_a.none(), "max_memory_bytes"_a.none(), "max_models"_a.none(),
        "eviction_policy"_a, "cleanup_interval_seconds"_a, "max_concurrent_loads"_a, "min_residency_seconds"_a,
        "failed_load_ttl_seconds"_a);
  m.def("log_to", &log_to_python, "sink"_a);
  m.def("shut_down", &shut_down,
        "Closes every client, worker and registry: nothing of remotemedia runs Python afterwards.");

  watch_forks();
  static PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&PyRegistry::traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(&PyRegistry::clear)},
                                {0, nullptr}};
  auto registry = nb::class_<PyRegistry>(m, "ModelRegistry", nb::is_weak_referenceable(), nb::type_slots(slots));
  bind_get_or_load(registry);
  registry.def(nb::init<const RegistryConfig&>(), "config"_a)
      .def("get", &get, "key"_a.none(), "A hold if the model is there now; never loads, never waits.",
           nb::sig("def get(self, key: str) -> ModelHandle[typing.Any] | None"))
      .def(
          "__contains__",
          [](const PyRegistry& self, nb::handle key) {
            Py_ssize_t size = 0;
            const char* const text = PyUnicode_Check(key.ptr()) ? PyUnicode_AsUTF8AndSize(key.ptr(), &size) : nullptr;
            if (text == nullptr) PyErr_Clear();  // what is no text is no key
            return text != nullptr && self.core()->contains({text, static_cast<std::size_t>(size)});
          },
          "key"_a.none(), nb::sig("def __contains__(self, key: object) -> bool"))
      .def(
          "list_models", [](const PyRegistry& self) { return self.core()->list_models(); },
          "By key, from loading until the memory is released.")
      .def("metrics", [](const PyRegistry& self) { return self.core()->metrics(); })
      .def(
          "evict", [](const PyRegistry& self, nb::handle key) { return self.core()->evict(text_of(key)); },
          "key"_a.none(),
          "True when it was there and nobody held or pinned it. Otherwise it stays, and False is returned.",
          nb::sig("def evict(self, key: str) -> bool"))
      .def(
          "evict_expired", [](const PyRegistry& self) { return self.core()->evict_expired(); },
          "Evicts what has expired now.")
      .def(
          "pin", [](const PyRegistry& self, nb::handle key) { self.core()->pin(text_of(key), true); }, "key"_a.none(),
          "Neither pressure nor time nor evict takes it. ModelNotFound when it is not there.",
          nb::sig("def pin(self, key: str) -> None"))
      .def(
          "unpin", [](const PyRegistry& self, nb::handle key) { self.core()->pin(text_of(key), false); },
          "key"_a.none(), nb::sig("def unpin(self, key: str) -> None"))
      .def("subscribe", &subscribe, "listener"_a,
           "Calls listener for every event, on the registry's own thread; returns what ends that.",
           nb::sig("def subscribe(self, listener: collections.abc.Callable[[RegistryEvent], None]) -> "
                   "collections.abc.Callable[[], None]"))
      .def(
          "plan",
          [](const PyRegistry& self, nb::handle key, long long memory_bytes) {
            if (memory_bytes < 0) throw Error(ErrorCode::invalid_argument, "memory_bytes must not be negative");
            return self.core()->plan(text_of(key), static_cast<std::size_t>(memory_bytes));
          },
          "key"_a.none(), "memory_bytes"_a, "What loading `key` would evict, without doing it.",
          nb::sig("def plan(self, key: str, memory_bytes: int) -> EvictionPlan"))
      .def("clear", &clear, "timeout"_a.none() = nb::none(),
           "Evicts what nobody holds (pinned too) and returns when its memory is really released;\n"
           "DeadlineExceeded when that takes longer.");
}

}  // namespace remotemedia::python
