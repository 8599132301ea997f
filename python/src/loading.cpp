// SPDX-License-Identifier: Apache-2.0
//
// What remotemedia/core/loading.py drives a load with, blocking or on an event loop.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "bindings.h"
#include "load_error.h"
#include "py_registry.h"
#include "remotemedia/base/error.h"
#include "remotemedia/registry/flight.h"
#include "remotemedia/registry/keep_alive.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

using detail::Flight;
using detail::Waiter;
using FlightPtr = std::shared_ptr<Flight>;
using WaiterPtr = std::shared_ptr<Waiter>;

std::function<void(const LoadProgress&)> progress_listener(nb::object listener) {
  if (listener.is_none()) return nullptr;
  auto shared = std::make_shared<GilObject>(std::move(listener));
  return [shared](const LoadProgress& progress) {
    const nb::gil_scoped_acquire gil;
    try {
      shared->get()(progress);
    } catch (nb::python_error& error) {
      throw std::runtime_error(error.what());
    }
  };
}

WaiterPtr ask(const PyRegistry& self, const std::string& key, std::size_t memory_bytes, nb::handle keep_alive,
              const std::string& device, nb::object progress, const FlightPtr& parent, nb::object notify) {
  LoadOptions options;
  options.memory_bytes = memory_bytes;
  if (nb::isinstance<nb::str>(keep_alive)) {
    options.keep_alive = parse_keep_alive(nb::cast<std::string>(keep_alive));
  } else if (!keep_alive.is_none()) {
    options.keep_alive = keep_alive_from_seconds(nb::cast<double>(keep_alive));
  }
  options.device = device;
  options.progress = progress_listener(std::move(progress));
  auto callback = any_thread_callback(std::move(notify));
  const auto core = self.core();
  const nb::gil_scoped_release no_gil;
  return core->ask({key, typeid(PyModel), options, parent ? parent : detail::current_flight(), std::move(callback)});
}

nb::object take(const WaiterPtr& self, const PyRegistry& registry) {
  detail::ModelSlot* const slot = registry.core()->take(self);
  return slot != nullptr ? nb::cast(labelled_handle(*registry.core(), slot)) : nb::none();
}

void publish(const FlightPtr& self, nb::object model, std::optional<std::size_t> memory_bytes,
             const std::string& model_id, bool revived) {
  detail::LoadedModel loaded{std::make_shared<PyModel>(std::move(model)), memory_bytes, model_id, revived};
  const nb::gil_scoped_release no_gil;
  self->core->publish(self, std::move(loaded));
}

void fail(const FlightPtr& self, const std::string& reason, nb::object cause) {
  auto error =
      std::make_exception_ptr(LoadError("loading '" + self->node.key + "' failed: " + reason, std::move(cause)));
  const nb::gil_scoped_release no_gil;
  self->core->fail(self, error);
}

}  // namespace

void bind_loading(nb::module_& m) {
  nb::class_<LoadProgress>(m, "LoadProgress", "What a loader reported last.")
      .def_ro("key", &LoadProgress::key)
      .def_ro("fraction", &LoadProgress::fraction, "0 to 1, or None where it is not known.")
      .def_ro("message", &LoadProgress::message);

  nb::class_<Flight>(m, "Flight", "One load under way, for its leader.")
      .def(
          "start",
          [](const FlightPtr& self, nb::object on_start) {
            auto callback = any_thread_callback(std::move(on_start));
            const nb::gil_scoped_release no_gil;
            self->core->start(self, std::move(callback));
          },
          "on_start"_a)
      .def_prop_ro("running", [](const FlightPtr& self) { return self->core->is_running(*self); })
      .def_prop_rw(
          "loop_thread", [](const FlightPtr& self) { return self->loop_thread.load(); },
          [](const FlightPtr& self, std::uint64_t thread) { self->loop_thread.store(thread); },
          "Of a coroutine loader: the thread that must not block on it; else 0.")
      .def(
          "report",
          [](const FlightPtr& self, std::optional<double> fraction, const std::string& message) {
            const nb::gil_scoped_release no_gil;
            self->core->report(self, fraction, message);
          },
          "fraction"_a.none(), "message"_a = "")
      .def("publish", &publish, "model"_a, "memory_bytes"_a.none(), "model_id"_a, "revived"_a)
      .def("fail", &fail, "reason"_a, "cause"_a)
      .def("abandon", [](const FlightPtr& self) {
        const nb::gil_scoped_release no_gil;
        self->core->abandon(self);
      });

  nb::class_<Waiter>(m, "Waiter", "One call that waits for a model.")
      .def_ro("leads", &Waiter::leads)
      .def_prop_ro("flight", [](const WaiterPtr& self) { return self->flight; })
      .def(
          "wait",
          [](const WaiterPtr& self, const PyRegistry& registry, std::optional<double> timeout) {
            const auto core = registry.core();
            const nb::gil_scoped_release no_gil;
            const TimePoint deadline =
                timeout ? core->clock().now() + keep_alive_from_seconds(std::max(0.0, *timeout)) : TimePoint::max();
            return core->wait(self, deadline);
          },
          "registry"_a, "timeout"_a.none() = nb::none())
      .def(
          "leave",
          [](const WaiterPtr& self, const PyRegistry& registry) {
            const auto core = registry.core();
            const nb::gil_scoped_release no_gil;
            core->leave(self);
          },
          "registry"_a)
      .def("take", &take, "registry"_a,
           nb::sig("def take(self, registry: ModelRegistry) -> ModelHandle[typing.Any] | None"));

  m.def("ask", &ask, "registry"_a, "key"_a, "memory_bytes"_a, "keep_alive"_a.none(), "device"_a, "progress"_a.none(),
        "parent"_a.none(), "notify"_a.none(),
        nb::sig("def ask(registry: ModelRegistry, key: str, memory_bytes: int, keep_alive: float | str | None, device: "
                "str, progress: collections.abc.Callable[[LoadProgress], None] | None, parent: Flight | None, notify: "
                "collections.abc.Callable[[], object] | None) -> Waiter"));
}

}  // namespace remotemedia::python
