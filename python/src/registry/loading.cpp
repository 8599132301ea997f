// SPDX-License-Identifier: Apache-2.0
//
// What remotemedia/core/loading.py drives a load with, blocking or on an event loop.
//
// The GIL is kept throughout: nothing here waits for another thread. A call and a lead that are dropped before their
// end, because an interrupt or a closed event loop came between, end by themselves.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "../gil.h"
#include "load_error.h"
#include "py_registry.h"
#include "remotemedia/base/error.h"
#include "remotemedia/registry/flight.h"
#include "remotemedia/registry/keep_alive.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

// Listeners are Python's to call, and not in a frame of C++: so the registry only says who they are.
using Audience = std::vector<std::pair<nb::object, LoadProgress>>;
thread_local Audience* audience = nullptr;

template <class Report>
Audience audience_of(const Report& report) {
  Audience told;
  audience = &told;
  report();
  audience = nullptr;
  return told;
}

std::function<void(const LoadProgress&)> progress_listener(nb::object listener) {
  if (listener.is_none()) return nullptr;
  auto shared = std::make_shared<GilObject>(std::move(listener));
  return [shared](const LoadProgress& progress) { audience->emplace_back(shared->get(), progress); };
}

using detail::Flight;
using FlightPtr = std::shared_ptr<Flight>;

/// One load under way, for the contexts that belong to it.
struct PyFlight {
  FlightPtr flight;
};

struct PyLabel {
  Label text;
};

/// The leader's end of a flight. Dropped before the flight has ended, it abandons it.
class Lead {
 public:
  explicit Lead(FlightPtr flight) noexcept : flight_(std::move(flight)) {}
  Lead(Lead&&) noexcept = default;
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;
  Lead& operator=(Lead&&) = delete;
  ~Lead() {
    if (flight_ == nullptr) return;
    const nb::error_scope keep_raised;
    abandon();
  }

  PyFlight flight() const { return {flight_}; }
  bool running() const { return core().is_running(*flight_); }
  void start(nb::object on_start) { core().start(flight_, any_thread_callback(std::move(on_start))); }
  void set_loop_thread(std::uint64_t thread) { flight_->node.loop_thread.store(thread); }

  /// Who is to be told, and what.
  Audience report(std::optional<double> fraction, const std::string& message) {
    return audience_of([&] { core().report(flight_, fraction, message); });
  }
  void abandon() { core().abandon(flight_); }

  /// Takes the model out of the list, so that no frame of the leader's keeps it.
  void publish(nb::list model, std::optional<std::size_t> memory_bytes, const std::string& model_id, bool revived,
               nb::object origin) {
    nb::object object = model[0];
    model.clear();
    core().publish(flight_,
                   {std::make_shared<PyModel>(std::move(object), std::move(origin)), memory_bytes, model_id, revived});
  }

  void fail(const std::string& reason, nb::object cause) {
    const std::string message = "loading '" + flight_->node.key + "' failed: " + reason;
    core().fail(flight_, std::make_exception_ptr(LoadError(message, std::move(cause))));
  }

 private:
  detail::RegistryCore& core() const { return *flight_->core; }

  FlightPtr flight_;
};

/// One caller's place among those who wait for a model. Dropped before the answer was taken, it leaves; dropped before
/// its lead was taken, it abandons the flight.
class Call {
 public:
  Call(std::shared_ptr<detail::RegistryCore> core, const detail::RegistryCore::Request& request, nb::object origin)
      : core_(std::move(core)), origin_(std::move(origin)) {
    late_ = audience_of([&] { waiter_ = core_->ask(request); });
    if (waiter_->leads) lead_.emplace(waiter_->flight);
  }
  Call(Call&&) noexcept = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  Call& operator=(Call&&) = delete;
  ~Call() {
    if (waiter_ == nullptr) return;
    const nb::error_scope keep_raised;
    leave();
  }

  /// What was reported before this caller came.
  Audience late() { return std::exchange(late_, {}); }

  bool done() const { return core_->wait(waiter_, TimePoint::min()); }

  /// Once, for whoever has to run the loader.
  std::optional<Lead> lead() {
    std::optional<Lead> taken = std::move(lead_);
    lead_.reset();
    return taken;
  }

  bool needs_thread(std::uint64_t thread) const {
    return waiter_->flight != nullptr && detail::WaitGraph::process().needs_thread(waiter_->flight->node, thread);
  }

  /// A handle, or None when the caller has to ask again.
  nb::object take(const PyLabel& label) {
    detail::ModelSlot* const slot = core_->take(waiter_);
    if (slot == nullptr) return nb::none();
    nb::object handle = nb::cast(labelled_handle(*core_, slot, label.text));
    const nb::object origin = static_cast<const PyModel*>(slot->object)->origin();
    if (origin.is_valid()) {
      warn_of_another_loader(slot->key, *nb::inst_ptr<Origin>(origin), *nb::inst_ptr<Origin>(origin_));
    }
    return handle;
  }

  void leave() {
    core_->leave(waiter_);
    lead_.reset();
  }

 private:
  std::shared_ptr<detail::RegistryCore> core_;
  std::shared_ptr<detail::Waiter> waiter_;
  std::optional<Lead> lead_;
  nb::object origin_;
  Audience late_;
};

Call ask(const PyRegistry& registry, nb::handle key, std::size_t memory_bytes, nb::handle keep_alive,
         const std::string& device, nb::object progress, nb::object origin, const PyFlight* parent,
         nb::object on_answer) {
  LoadOptions options;
  options.memory_bytes = memory_bytes;
  if (PyUnicode_Check(keep_alive.ptr())) {
    options.keep_alive = parse_keep_alive(text_of(keep_alive));
  } else if (!keep_alive.is_none()) {
    options.keep_alive = keep_alive_from_seconds(nb::cast<double>(keep_alive));
  }
  options.device = device;
  options.progress = progress_listener(std::move(progress));
  const FlightPtr around = parent != nullptr ? parent->flight : detail::current_flight();
  return {registry.core(),
          {text_of(key), typeid(PyModel), options, around, any_thread_callback(std::move(on_answer))},
          std::move(origin)};
}

constexpr const char* kReport =
    "def report(self, fraction: float | None, message: str) -> list[tuple[collections.abc.Callable[[LoadProgress], "
    "object], LoadProgress]]";
constexpr const char* kLate =
    "def late(self) -> list[tuple[collections.abc.Callable[[LoadProgress], object], LoadProgress]]";

}  // namespace

void bind_loading(nb::module_& m) {
  nb::class_<LoadProgress>(m, "LoadProgress", "What a loader reported last.")
      .def_ro("key", &LoadProgress::key)
      .def_ro("fraction", &LoadProgress::fraction, "0 to 1, or None where it is not known.")
      .def_ro("message", &LoadProgress::message);

  nb::class_<ThreadStart>(m, "ThreadStart", "While it is there, the interpreter's end waits for a thread that starts.")
      .def(nb::init<>());

  nb::class_<PyLabel>(m, "Label", "Who asks.");
  m.def("caller_label", [] { return PyLabel{caller_label()}; });

  nb::class_<Origin>(m, "Origin", "Which loader makes a model, with which arguments.")
      .def(nb::init<nb::handle, nb::handle>(), "loader"_a, "arguments"_a.none(),
           nb::sig(
               "def __init__(self, loader: collections.abc.Callable[..., object], arguments: dict[str, typing.Any] | "
               "None) -> None"));

  nb::class_<PyFlight>(m, "Flight", "One load under way.");

  nb::class_<Lead>(m, "Lead", "The leader's end of a flight: start it, and when it runs publish, fail or abandon it.")
      .def_prop_ro("flight", &Lead::flight)
      .def_prop_ro("running", &Lead::running)
      .def("start", &Lead::start, "on_start"_a, "Calls on_start when the loader may run, or when the flight is over.",
           nb::sig("def start(self, on_start: collections.abc.Callable[[], object]) -> None"))
      .def("set_loop_thread", &Lead::set_loop_thread, "thread"_a,
           "Of a coroutine loader: the thread that must not block on it.")
      .def("report", &Lead::report, "fraction"_a.none(), "message"_a, "Who is to be told, and what.", nb::sig(kReport))
      .def("publish", &Lead::publish, "model"_a, "memory_bytes"_a.none(), "model_id"_a, "revived"_a, "origin"_a,
           "Takes the model out of the list.",
           nb::sig("def publish(self, model: list[typing.Any], memory_bytes: int | None, model_id: str, revived: bool, "
                   "origin: Origin) -> None"))
      .def("fail", &Lead::fail, "reason"_a, "cause"_a,
           nb::sig("def fail(self, reason: str, cause: BaseException) -> None"))
      .def("abandon", &Lead::abandon, "The others ask again, with loaders of their own.")
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> Lead"))
      .def(
          "__exit__",
          [](Lead& self, const nb::args& error) {
            if (!error[0].is_none()) self.abandon();
          },
          nb::sig("def __exit__(self, *error: object) -> None"));

  nb::class_<Call>(m, "Call", "One caller's place among those who wait for a model.")
      .def_prop_ro("done", &Call::done)
      .def("late", &Call::late, "Whom to tell what was reported before this caller came.", nb::sig(kLate))
      .def("lead", &Call::lead, "Once, for whoever has to run the loader.")
      .def("needs_thread", &Call::needs_thread, "thread"_a, "Whether the load cannot go on while this thread waits.")
      .def("take", &Call::take, "label"_a, "A handle, or None when the caller has to ask again.",
           nb::sig("def take(self, label: Label) -> ModelHandle[typing.Any] | None"))
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> Call"))
      .def(
          "__exit__", [](Call& self, const nb::args&) { self.leave(); },
          nb::sig("def __exit__(self, *error: object) -> None"));

  m.def("ask", &ask, "registry"_a, "key"_a, "memory_bytes"_a, "keep_alive"_a.none(), "device"_a, "progress"_a.none(),
        "origin"_a, "parent"_a.none(), "on_answer"_a,
        nb::sig(
            "def ask(registry: ModelRegistry, key: str, memory_bytes: int, keep_alive: float | str | None, device: "
            "str, progress: collections.abc.Callable[[LoadProgress], object] | None, origin: Origin, parent: Flight | "
            "None, on_answer: collections.abc.Callable[[], object]) -> Call"));
}

}  // namespace remotemedia::python
