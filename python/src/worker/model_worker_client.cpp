// SPDX-License-Identifier: Apache-2.0
//
// What remotemedia/worker/model_worker_client.py calls with. Nothing here keeps the GIL while it may wait.

#include "remotemedia/worker/model_worker_client.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../bindings.h"
#include "../exit_list.h"
#include "../gil.h"
#include "../gil_object.h"
#include "../seconds.h"
#include "../tensor/data_type.h"
#include "../tensor/py_tensor.h"
#include "calls.h"
#include "deliveries.h"
#include "left_alone.h"
#include "pending_call.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/worker/repeats.h"
#include "waiting.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

/// Closed at the latest when the interpreter exits.
class PyClient {
 public:
  explicit PyClient(ModelWorkerClient client) : client_(std::make_shared<ModelWorkerClient>(std::move(client))) {
    exit_place_.emplace(ExitTurn::calls, [client = client_, born = born_] {
      if (born == fork_generation()) client->close();
    });
  }
  PyClient(const PyClient&) = delete;
  PyClient& operator=(const PyClient&) = delete;
  ~PyClient() {
    if (born_ != fork_generation()) {
      left_alone(std::move(client_));
      return;
    }
    const nb::error_scope of_whoever_lets_go;  // what waits is answered
    exit_place_.reset();
    const NoGil others_go_on;
    client_.reset();
  }

  /// Kept by whoever uses it without the GIL.
  ///
  /// Errors:  worker_unavailable in a forked child.
  std::shared_ptr<ModelWorkerClient> get() const {
    if (born_ != fork_generation()) {
      throw Error(ErrorCode::worker_unavailable, "this client is the parent's: a forked child connects anew");
    }
    return client_;
  }

  const std::shared_ptr<Deliveries>& deliveries() const noexcept { return deliveries_; }

 private:
  std::uint64_t born_ = fork_generation();
  std::shared_ptr<ModelWorkerClient> client_;
  std::shared_ptr<Deliveries> deliveries_ = std::make_shared<Deliveries>();
  std::optional<ExitPlace> exit_place_;
};

/// Answers one after the other. All of it with the GIL, but for the waiting.
class PyStream {
 public:
  PyStream(InferenceStream stream, bool one_output) noexcept
      : stream_(std::make_shared<InferenceStream>(std::move(stream))), one_output_(one_output) {}
  PyStream(PyStream&&) noexcept = default;
  PyStream(const PyStream&) = delete;
  PyStream& operator=(const PyStream&) = delete;
  PyStream& operator=(PyStream&&) = delete;
  ~PyStream() {
    if (stream_ == nullptr) return;
    const nb::error_scope of_whoever_lets_go;
    const NoGil others_go_on;
    stream_.reset();
  }

  /// Errors:  ValueError while another thread waits for the next answer; StopIteration at the end.
  nb::object next() {
    if (waits_) throw nb::value_error("another thread waits for the next answer of this stream");
    if (over_) throw nb::stop_iteration();
    const std::shared_ptr<InferenceStream> stream = stream_;
    const Waits waits(*this);
    wait_in_slices([&](TimePoint deadline) { return stream->wait_until(deadline); }, [&] { stream->cancel(); });
    std::optional<TensorMap> outputs;
    {
      const NoGil others_go_on;
      outputs = stream->next();
    }
    if (closed_ || !outputs) throw nb::stop_iteration();
    waits.goes_on();
    return answer_object(*outputs, one_output_);
  }

  /// Calls `readable` once, when next() will not wait.
  void when_readable(nb::object readable) {
    auto call = any_thread_callback(std::move(readable));
    const std::shared_ptr<InferenceStream> stream = stream_;
    const NoGil others_go_on;
    stream->when_readable(std::move(call));
  }

  void close() {
    over_ = closed_ = true;
    const std::shared_ptr<InferenceStream> stream = stream_;
    const NoGil others_go_on;
    stream->cancel();
  }

 private:
  /// It is over after next(), unless that says otherwise.
  class Waits {
   public:
    explicit Waits(PyStream& stream) noexcept : stream_(stream) {
      stream_.waits_ = true;
      stream_.over_ = true;
    }
    Waits(const Waits&) = delete;
    Waits& operator=(const Waits&) = delete;
    ~Waits() { stream_.waits_ = false; }
    void goes_on() const noexcept { stream_.over_ = false; }

   private:
    PyStream& stream_;
  };

  std::shared_ptr<InferenceStream> stream_;
  bool one_output_;
  bool waits_ = false;
  bool over_ = false;
  bool closed_ = false;
};

/// In less time than another thread takes to get the GIL.
bool is_quickly_copied(const TensorMap& inputs) {
  constexpr std::size_t kMostBytes = std::size_t{64} * 1024;
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : inputs) bytes += tensor.nbytes();
  return bytes <= kMostBytes;
}

std::unique_ptr<PyClient> connect(const std::string& endpoint, double timeout, unsigned max_retries,
                                  const std::string& transport, const TlsConfig* tls, const std::string& token) {
  ConnectOptions options;
  if (tls != nullptr) options.tls = *tls;
  options.token = token;
  options.timeout = duration_of("timeout", timeout);
  options.max_retries = max_retries;
  if (transport == "shared_memory") options.transport = Transport::shared_memory;
  if (transport == "grpc") options.transport = Transport::grpc;
  options.given_up = &given_up;
  return std::make_unique<PyClient>(without_gil([&] { return ModelWorkerClient::connect(endpoint, options); }));
}

nb::object infer(const PyClient& self, nb::handle inputs, nb::handle named, nb::handle parameters,
                 nb::handle session_id, nb::handle priority, nb::handle timeout, nb::handle trace, bool idempotent) {
  const auto client = self.get();
  PyCall call = call_of(*client->shared_signature(), inputs, named, parameters, session_id, priority, timeout, trace);
  call.options.idempotent = idempotent;
  for (Repeats repeats(call.options, client->max_retries());;) {
    InferenceFuture answer = without_gil([&] { return client->infer_waiting(call.inputs, repeats.options()); });
    wait_in_slices([&](TimePoint deadline) { return answer.wait_until(deadline); }, [&] { answer.cancel(); });
    try {
      return answer_object(answer.get(), call.one_output);
    } catch (const Error& error) {
      if (!repeats.again_after(error)) throw;
    }
  }
}

PyPendingCall submit(const PyClient& self, nb::handle inputs, nb::handle named, nb::handle parameters,
                     nb::handle session_id, nb::handle priority, nb::handle timeout, nb::handle trace) {
  const auto client = self.get();
  const PyCall call =
      call_of(*client->shared_signature(), inputs, named, parameters, session_id, priority, timeout, trace);
  std::optional<InferenceFuture> sent;
  if (is_quickly_copied(call.inputs)) sent = client->try_infer_future(call.inputs, call.options);
  if (!sent) sent = without_gil([&] { return client->infer_future(call.inputs, call.options); });
  return PyPendingCall(std::move(*sent), call.one_output, self.deliveries());
}

std::unique_ptr<PyStream> infer_stream(const PyClient& self, nb::handle inputs, nb::handle named, nb::handle parameters,
                                       nb::handle session_id, nb::handle priority, nb::handle timeout,
                                       nb::handle trace) {
  const auto client = self.get();
  const PyCall call =
      call_of(*client->shared_signature(), inputs, named, parameters, session_id, priority, timeout, trace);
  return without_gil(
      [&] { return std::make_unique<PyStream>(client->infer_stream(call.inputs, call.options), call.one_output); });
}

PyTensor allocate(const PyClient& self, nb::handle shape, nb::handle dtype) {
  const auto client = self.get();
  const Dims extents = dims_of(shape);
  const DataType type = data_type_of(dtype);
  return without_gil([&] { return PyTensor(client->allocate(extents, type)); });
}

/// What is asked of the client itself, without the GIL.
template <class Ask>
auto ask(Ask question) {
  return [question](const PyClient& self) {
    const auto client = self.get();
    return without_gil([&] { return question(*client); });
  };
}

constexpr const char* kOptions =
    "inputs: object, named: dict[str, typing.Any] | None, parameters: collections.abc.Mapping[str, typing.Any] | None, "
    "session_id: str | None, priority: int, timeout: float | None, trace: tuple[str, str] | None";

std::string signature(const std::string& name, const std::string& result, const std::string& behind = "") {
  return "def " + name + "(self, " + kOptions + behind + ") -> " + result;
}

}  // namespace

void bind_model_worker_client(nb::module_& m) {
  static const std::string infer_signature = signature("infer", "typing.Any", ", idempotent: bool");
  static const std::string stream_signature = signature("infer_stream", "InferenceStream");
  static const std::string submit_signature = signature("submit", "PendingCall");

  static PyType_Slot call_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&PyPendingCall::traverse)},
                                     {Py_tp_clear, reinterpret_cast<void*>(&PyPendingCall::clear)},
                                     {0, nullptr}};
  nb::class_<PyPendingCall>(m, "PendingCall", nb::type_slots(call_slots),
                            "A call under way, and its answer from when somebody asks for it.")
      .def("done", &PyPendingCall::done)
      .def("cancelled", &PyPendingCall::cancelled)
      .def("cancel", &PyPendingCall::cancel, "In the worker too. Whether it was in time.")
      .def("result", &PyPendingCall::result, "timeout"_a.none(), "As concurrent.futures.Future.result.",
           nb::sig("def result(self, timeout: float | None) -> typing.Any"))
      .def("exception", &PyPendingCall::exception, "timeout"_a.none(), "As concurrent.futures.Future.exception.",
           nb::sig("def exception(self, timeout: float | None) -> BaseException | None"))
      .def("when_done", &PyPendingCall::when_done, "done"_a,
           "Calls done() once: now, or on any thread. Only the last one is called.",
           nb::sig("def when_done(self, done: collections.abc.Callable[[], object]) -> None"));

  nb::class_<PyStream>(m, "InferenceStream", nb::is_weak_referenceable(),
                       "Many answers to one request. Closed, or dropped, it cancels it.")
      .def(
          "__iter__", [](nb::object self) { return self; }, nb::sig("def __iter__(self) -> InferenceStream"))
      .def("__next__", &PyStream::next, nb::sig("def __next__(self) -> typing.Any"))
      .def("when_readable", &PyStream::when_readable, "readable"_a,
           "Calls readable once, on any thread, when the next answer can be had without waiting.",
           nb::sig("def when_readable(self, readable: collections.abc.Callable[[], object]) -> None"))
      .def("close", &PyStream::close, "Cancels it, in the worker too. Twice is once.")
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> InferenceStream"))
      .def(
          "__exit__", [](PyStream& self, const nb::args&) { self.close(); },
          nb::sig("def __exit__(self, *error: object) -> None"));

  nb::class_<PyClient>(m, "ModelWorkerClient", nb::is_weak_referenceable())
      .def_static("connect", &connect, "endpoint"_a, "timeout"_a, "max_retries"_a, "transport"_a, "tls"_a.none(),
                  "token"_a)
      .def("infer", &infer, "inputs"_a.none(), "named"_a.none(), "parameters"_a.none(), "session_id"_a.none(),
           "priority"_a, "timeout"_a.none(), "trace"_a.none(), "idempotent"_a, nb::sig(infer_signature.c_str()))
      .def("submit", &submit, "inputs"_a.none(), "named"_a.none(), "parameters"_a.none(), "session_id"_a.none(),
           "priority"_a, "timeout"_a.none(), "trace"_a.none(), nb::sig(submit_signature.c_str()))
      .def("infer_stream", &infer_stream, "inputs"_a.none(), "named"_a.none(), "parameters"_a.none(),
           "session_id"_a.none(), "priority"_a, "timeout"_a.none(), "trace"_a.none(), nb::sig(stream_signature.c_str()))
      .def("allocate", &allocate, "shape"_a, "dtype"_a.none(),
           nb::sig("def allocate(self, shape: collections.abc.Sequence[int] | int, dtype: typing.Any) -> TensorBuffer"))
      .def(
          "close_session",
          [](const PyClient& self, const std::string& session_id) {
            const auto client = self.get();
            const NoGil others_go_on;
            client->close_session(session_id);
          },
          "session_id"_a)
      .def("max_retries", ask([](ModelWorkerClient& client) { return client.max_retries(); }))
      .def("is_connected", ask([](ModelWorkerClient& client) { return client.is_connected(); }))
      .def("health_check", ask([](ModelWorkerClient& client) { return client.health_check(); }))
      .def("status", ask([](ModelWorkerClient& client) { return client.status(); }))
      .def("signature", ask([](ModelWorkerClient& client) { return client.signature(); }))
      .def("model_id", ask([](ModelWorkerClient& client) { return client.model_id(); }))
      .def("transport", ask([](ModelWorkerClient& client) { return std::string(to_string(client.transport())); }),
           nb::sig("def transport(self) -> typing.Literal['shared_memory', 'grpc']"))
      .def("close", ask([](ModelWorkerClient& client) { client.close(); }));
}

}  // namespace remotemedia::python
