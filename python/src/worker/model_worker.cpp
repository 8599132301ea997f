// SPDX-License-Identifier: Apache-2.0
//
// ModelWorker. Whatever waits for the worker's threads does so without the GIL: they take it to run the model.

#include "remotemedia/worker/model_worker.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "../exit_list.h"
#include "../gil.h"
#include "../seconds.h"
#include "../tensor/data_type.h"
#include "left_alone.h"
#include "python_model.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/fork_generation.h"
#include "waiting.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

/// Stopped at the latest when the interpreter exits. A forked child has a copy without threads, which is left alone.
class PyWorker {
 public:
  PyWorker(std::shared_ptr<InferenceModel> model, const WorkerConfig& config, std::string worker_id)
      : worker_(std::make_shared<ModelWorker>(std::move(model), config, std::move(worker_id))) {
    exit_place_.emplace(ExitTurn::workers, [worker = worker_, born = born_] {
      if (born == fork_generation()) worker->stop();
    });
  }
  PyWorker(const PyWorker&) = delete;
  PyWorker& operator=(const PyWorker&) = delete;
  ~PyWorker() {
    if (born_ != fork_generation()) {
      left_alone(std::move(worker_));
      return;
    }
    const nb::error_scope of_whoever_lets_go;  // the model's close() is called
    exit_place_.reset();
    const NoGil others_go_on;
    worker_.reset();
  }

  /// Errors:  worker_unavailable in a forked child.
  ModelWorker& get() const {
    if (born_ != fork_generation()) {
      throw Error(ErrorCode::worker_unavailable, "this ModelWorker is the parent's: a forked child makes its own");
    }
    return *worker_;
  }

 private:
  std::uint64_t born_ = fork_generation();
  std::shared_ptr<ModelWorker> worker_;
  std::optional<ExitPlace> exit_place_;
};

std::vector<std::string> endpoints_of(const nb::args& endpoints) {
  std::vector<std::string> texts;
  for (const nb::handle endpoint : endpoints) {
    if (PyUnicode_Check(endpoint.ptr()) == 0) {
      throw nb::type_error(("an endpoint must be a str, not " + class_name(endpoint)).c_str());
    }
    texts.push_back(nb::cast<std::string>(endpoint));
  }
  return texts;
}

std::vector<std::string> start(const PyWorker& self, const nb::args& endpoints) {
  ModelWorker& worker = self.get();
  const std::vector<std::string> texts = endpoints_of(endpoints);
  const NoGil others_go_on;
  return worker.start(texts);
}

bool serve(const PyWorker& self, const nb::args& endpoints, const nb::object& on_ready) {
  ModelWorker& worker = self.get();
  const std::vector<std::string> texts = endpoints_of(endpoints);
  ModelWorker::OnReady told;
  if (!on_ready.is_none()) {
    told = [&on_ready](const std::vector<std::string>& reached) {
      const nb::gil_scoped_acquire gil;
      on_ready(reached);
    };
  }
  const NoGil others_go_on;
  return worker.serve(texts, told);
}

bool drain(const PyWorker& self, std::optional<double> timeout) {
  ModelWorker& worker = self.get();
  std::optional<Duration> limit;
  if (timeout) limit = duration_of("timeout", *timeout);
  return without_gil([&] { return worker.drain(limit, given_up); });
}

void stop(const PyWorker& self) {
  ModelWorker& worker = self.get();
  const NoGil others_go_on;
  worker.stop();
}

WorkerInfo status(const PyWorker& self) {
  ModelWorker& worker = self.get();
  const NoGil others_go_on;
  return worker.status();
}

bool health_check(const PyWorker& self) {
  ModelWorker& worker = self.get();
  const NoGil others_go_on;
  return worker.health_check();
}

}  // namespace

void bind_model_worker(nb::module_& m) {
  nb::class_<PyWorker>(m, "ModelWorker", nb::is_weak_referenceable())
      .def(
          "__init__",
          [](PyWorker* self, nb::object model, const WorkerConfig& config, std::string worker_id, std::string model_id,
             std::string device, const ModelSignature& signature, std::size_t memory_usage, bool infer_takes_context,
             bool streams, bool stream_takes_context) {
            auto served = std::make_shared<PythonModel>(
                std::move(model),
                PythonModel::Description{std::move(model_id), std::move(device), signature, memory_usage,
                                         infer_takes_context, streams, stream_takes_context});
            new (self) PyWorker(std::move(served), config, std::move(worker_id));
          },
          "model"_a, "config"_a, "worker_id"_a, nb::kw_only(), "model_id"_a, "device"_a, "signature"_a,
          "memory_usage"_a, "infer_takes_context"_a, "streams"_a, "stream_takes_context"_a)
      .def("start", &start, "endpoints"_a,
           "Warms the model up, listens, and returns the endpoints in the given order, with real ports.\n\n"
           "Args:\n"
           "    *endpoints: \"unix:/path\" is the shared-memory channel of this machine; none: a private one.\n\n"
           "Raises:\n"
           "    LoadFailed: The model failed to warm up.\n"
           "    InvalidArgument: An endpoint of no known scheme.\n"
           "    OSError: EADDRINUSE for an address that a living process serves. What a dead one left is taken over.",
           nb::sig("def start(self, *endpoints: str) -> list[str]"))
      .def("serve", &serve, "endpoints"_a, "on_ready"_a = nb::none(),
           nb::sig("def serve(self, *endpoints: str, "
                   "on_ready: collections.abc.Callable[[list[str]], object] | None = None) -> bool"))
      .def("drain", &drain, "timeout"_a.none() = nb::none(),
           "Refuses new calls and waits for those that were accepted; after `timeout` seconds (None: the config's)\n"
           "what still waits is answered with WorkerUnavailable. Ends serve(). True if all were finished.")
      .def("stop", &stop, "Ends it without waiting for calls that have not begun. Twice is once.")
      .def("status", &status)
      .def("health_check", &health_check, "The model's last answer, unless it hangs or the worker does not run.");
}

}  // namespace remotemedia::python
