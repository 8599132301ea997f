// SPDX-License-Identifier: Apache-2.0

#include "python_model.h"

#include <nanobind/stl/string.h>

#include <optional>
#include <utility>

#include "model_error.h"
#include "model_thread.h"
#include "py_context.h"
#include "tensor_maps.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

/// An iterator of Python. It is closed when the stream goes, so that a generator ends at its yield.
class PythonStream final : public AnswerStream {
 public:
  /// With the GIL.
  PythonStream(nb::object answers, std::unique_ptr<ContextObject> context, std::vector<TensorSpec> outputs)
      : outputs_(std::move(outputs)), context_(std::move(context)), answers_(std::move(answers)) {}
  PythonStream(const PythonStream&) = delete;
  PythonStream& operator=(const PythonStream&) = delete;

  ~PythonStream() override {
    const AnyThreadGil gil;
    if (!gil) {  // what is of Python goes with the interpreter
      answers_.release();
      static_cast<void>(context_.release());
      return;
    }
    close();
    answers_.reset();
    context_.reset();
  }

  std::optional<TensorMap> next() override {
    const ModelGil gil;
    return asked([&]() -> std::optional<TensorMap> {
      const nb::object outputs = nb::steal(PyIter_Next(answers_.ptr()));
      if (outputs.is_valid()) return tensors_of(outputs, outputs_, "output");
      if (PyErr_Occurred() != nullptr) throw nb::python_error();
      return std::nullopt;
    });
  }

 private:
  void close() noexcept {
    try {
      const nb::object close = nb::getattr(answers_, "close", nb::none());
      if (!close.is_none()) close();
    } catch (nb::python_error& error) {
      drop(error, answers_);
    }
  }

  std::vector<TensorSpec> outputs_;
  std::unique_ptr<ContextObject> context_;
  nb::object answers_;
};

}  // namespace

PythonModel::PythonModel(nb::object model, Description description)
    : description_(std::move(description)), infer_(model.attr("infer")), model_(std::move(model)) {}

PythonModel::~PythonModel() = default;

std::shared_ptr<void> PythonModel::enter_thread() { return enter_model_thread(); }

void PythonModel::warm_up() {
  const ModelGil gil;
  asked([&] { model_.get().attr("warm_up")(); });
}

TensorMap PythonModel::infer(const TensorMap& inputs, InferenceContext& context) {
  const ModelGil gil;
  return asked([&] {
    const ContextObject lent(context, batches());
    nb::dict arrays = arrays_of(inputs);
    const nb::object& infer = infer_.get();
    const nb::object outputs = description_.infer_takes_context ? infer(arrays, lent.get()) : infer(arrays);
    return tensors_of(outputs, description_.signature.outputs, "output");
  });
}

std::unique_ptr<AnswerStream> PythonModel::infer_stream(const TensorMap& inputs, InferenceContext& context) {
  if (!description_.streams) return InferenceModel::infer_stream(inputs, context);
  const ModelGil gil;
  return asked([&] {
    auto lent = std::make_unique<ContextObject>(context, batches());
    nb::dict arrays = arrays_of(inputs);
    const nb::object method = model_.get().attr("infer_stream");
    const nb::object given = description_.stream_takes_context ? method(arrays, lent->get()) : method(arrays);
    nb::object answers = nb::steal(PyObject_GetIter(given.ptr()));
    if (!answers.is_valid()) throw nb::python_error();
    return std::make_unique<PythonStream>(std::move(answers), std::move(lent), description_.signature.outputs);
  });
}

std::any PythonModel::open_session(const std::string& session_id) {
  const ModelGil gil;
  return asked([&] { return kept_state(model_.get().attr("open_session")(session_id)); });
}

void PythonModel::close_session(const std::string& session_id, const std::any& state) {
  const ModelGil gil;
  asked([&] { model_.get().attr("close_session")(session_id, state_object(state)); });
}

bool PythonModel::is_healthy() {
  const ModelGil gil;
  return asked([&] { return nb::cast<bool>(nb::bool_(model_.get().attr("is_healthy")())); });
}

void PythonModel::close() {
  const ModelGil gil;
  asked([&] { model_.get().attr("close")(); });
}

}  // namespace remotemedia::python
