// SPDX-License-Identifier: Apache-2.0
//
// What remotemedia/worker/remote_models.py asks with. Nothing here keeps the GIL while it may wait.

#include "remotemedia/worker/remote_models.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "../gil.h"
#include "../seconds.h"
#include "remotemedia/base/error.h"
#include "waiting.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

using Seconds = std::chrono::duration<double>;

std::unique_ptr<RemoteModels> connect(const std::string& endpoint, double timeout, const TlsConfig* tls,
                                      const std::string& token) {
  ConnectOptions options;
  if (tls != nullptr) options.tls = *tls;
  options.token = token;
  options.timeout = duration_of("timeout", timeout);
  options.given_up = &given_up;
  return std::make_unique<RemoteModels>(without_gil([&] { return RemoteModels::connect(endpoint, options); }));
}

std::unique_ptr<RemoteModelHandle> get_or_load(RemoteModels& self, const std::string& name,
                                               std::optional<double> timeout, const nb::object& progress) {
  RemoteLoadOptions options;
  if (timeout) options.timeout = duration_of("timeout", *timeout);
  options.given_up = &given_up;
  if (!progress.is_none()) {
    options.progress = [&progress](const LoadProgress& said) {
      const AnyThreadGil gil;
      if (gil) progress(said);
    };
  }
  return without_gil([&] { return std::make_unique<RemoteModelHandle>(self.get_or_load(name, options)); });
}

}  // namespace

void bind_remote_models(nb::module_& m) {
  nb::class_<RemoteModel>(m, "RemoteModel", "One model of an endpoint, at one moment.")
      .def_ro("name", &RemoteModel::name)
      .def_prop_ro(
          "state", [](const RemoteModel& model) { return std::string(to_string(model.state)); }, "As in a registry.",
          nb::sig("def state(self) -> typing.Literal['absent', 'loading', 'ready', 'evicting', 'failed']"))
      .def_ro("serving", &RemoteModel::serving,
              "Whether it takes calls at this endpoint; one that is absent is loaded by them.")
      .def_ro("device", &RemoteModel::device)
      .def_ro("memory_bytes", &RemoteModel::memory_bytes, "While it is in memory.")
      .def_ro("leases", &RemoteModel::leases, "How many hold it now, whoever has them.")
      .def_prop_ro(
          "load_seconds",
          [](const RemoteModel& model) {
            return model.load_time ? std::optional(Seconds(*model.load_time).count()) : std::nullopt;
          },
          "Of its last load; None where nobody has measured it.")
      .def_prop_ro(
          "last_used",
          [](const RemoteModel& model) {
            return model.last_used ? std::optional(Seconds(model.last_used->time_since_epoch()).count()) : std::nullopt;
          },
          "Seconds since the epoch; None before its first answer.")
      .def_ro("signature", &RemoteModel::signature)
      .def("__repr__", [](const RemoteModel& model) {
        return "RemoteModel(name='" + model.name + "', state='" + std::string(to_string(model.state)) +
               "', memory_bytes=" + std::to_string(model.memory_bytes) + ", leases=" + std::to_string(model.leases) +
               ")";
      });

  nb::class_<RemoteModelHandle>(m, "RemoteLease", nb::is_weak_referenceable())
      .def_prop_ro("model", &RemoteModelHandle::model)
      .def_prop_ro("is_held", &RemoteModelHandle::is_held)
      .def("release", [](RemoteModelHandle& self) {
        const NoGil others_go_on;
        self.release();
      });

  nb::class_<RemoteModels>(m, "RemoteModels")
      .def_static("connect", &connect, "endpoint"_a, "timeout"_a, "tls"_a.none(), "token"_a)
      .def("list_models", [](RemoteModels& self) { return without_gil([&] { return self.list_models(); }); })
      .def(
          "get_model",
          [](RemoteModels& self, const std::string& name) { return without_gil([&] { return self.get_model(name); }); },
          "name"_a)
      .def("get_or_load", &get_or_load, "name"_a, "timeout"_a.none(), "progress"_a.none(),
           nb::sig("def get_or_load(self, name: str, timeout: float | None, progress: "
                   "collections.abc.Callable[[LoadProgress], object] | None) -> RemoteLease"))
      .def(
          "evict",
          [](RemoteModels& self, const std::string& name, bool force) {
            return without_gil([&] { return self.evict(name, force); });
          },
          "name"_a, "force"_a);
}

}  // namespace remotemedia::python
