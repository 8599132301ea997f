// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend_model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/backends/backend_abi.h"
#include "remotemedia/backends/model_description.h"
#include "remotemedia/backends/plugin_border.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

namespace {

/// The host's side of one remotemedia_call.
class OneCall {
 public:
  OneCall(const ModelSignature& signature, const TensorMap& inputs, InferenceContext& context)
      : signature_(signature), context_(context) {
    dense_.reserve(signature.inputs.size());  // tensors_ points into it
    tensors_.reserve(signature.inputs.size());
    for (const TensorSpec& spec : signature.inputs) {
      add_input(spec, inputs);
    }
  }

  remotemedia_call in_c() { return {tensors_.data(), tensors_.size(), this, output, copied, cancelled}; }

  std::uint64_t copied_bytes() const { return copied_; }

  /// Throws what kept an output from being allocated.
  TensorMap take_outputs() {
    if (thrown_) {
      std::rethrow_exception(thrown_);
    }
    return std::move(outputs_);
  }

  bool gave_up() const { return thrown_ != nullptr; }

 private:
  void add_input(const TensorSpec& spec, const TensorMap& inputs) {
    const auto given = inputs.find(spec.name);
    if (given == inputs.end()) {
      throw Error(ErrorCode::invalid_tensor, "there is no input '" + spec.name + "'");
    }
    const TensorBuffer& tensor = dense_.emplace_back(dense(given->second));
    tensors_.push_back({spec.name.c_str(), to_string(tensor.dtype()).data(), tensor.shape().data(),
                        tensor.shape().size(), tensor.data()});
  }

  TensorBuffer dense(const TensorBuffer& tensor) {
    if (tensor.is_contiguous()) {
      return tensor;
    }
    copied_ += tensor.nbytes();
    return tensor.copy();
  }

  void* allocate(std::string_view name, std::span<const std::int64_t> shape) {
    const auto spec = std::ranges::find(signature_.outputs, name, &TensorSpec::name);
    if (spec == signature_.outputs.end()) {
      throw Error(ErrorCode::inference_failed,
                  "it gives an output '" + std::string(name) + "' that it did not describe");
    }
    TensorBuffer tensor = context_.allocate(Dims(shape), spec->dtype);
    if (!outputs_.emplace(spec->name, tensor).second) {
      throw Error(ErrorCode::inference_failed, "it gives the output '" + spec->name + "' twice");
    }
    return tensor.mutable_data();
  }

  static void* output(void* host, const char* name, const std::int64_t* shape, std::size_t rank) {
    auto& call = *static_cast<OneCall*>(host);
    try {
      return call.allocate(name == nullptr ? "" : name, {shape, shape == nullptr ? 0 : rank});
    } catch (...) {
      call.thrown_ = std::current_exception();
      return nullptr;
    }
  }

  static void copied(void* host, std::uint64_t bytes) { static_cast<OneCall*>(host)->copied_ += bytes; }

  static int cancelled(void* host) { return static_cast<OneCall*>(host)->context_.cancelled() ? 1 : 0; }

  const ModelSignature& signature_;
  InferenceContext& context_;
  std::vector<TensorBuffer> dense_;
  std::vector<remotemedia_tensor> tensors_;
  TensorMap outputs_;
  std::uint64_t copied_ = 0;
  std::exception_ptr thrown_;
};

}  // namespace

BackendModel::BackendModel(const remotemedia_backend_functions& functions, remotemedia_model* model, std::string engine,
                           std::string model_id)
    : functions_(functions), model_(model), engine_(std::move(engine)), model_id_(std::move(model_id)) {
  const std::optional<std::string> failure = failure_of([&](remotemedia_error*) {
    ModelDescription description = read_description(functions_.describe(model_), model_id_);
    signature_ = std::move(description.signature);
    memory_bytes_ = description.memory_bytes;
    device_ = std::move(description.device);
    return true;
  });
  if (failure) {
    unload();
    throw Error(ErrorCode::load_failed, engine_ + " describes model '" + model_id_ + "' wrongly: " + *failure);
  }
}

BackendModel::~BackendModel() {
  if (const std::optional<std::string> failure = unload()) {
    log(LogLevel::error, engine_ + " failed to unload model '" + model_id_ + "': " + *failure);
  }
}

std::optional<std::string> BackendModel::unload() {
  return failure_of([&](remotemedia_error*) {
    functions_.unload(model_);
    return true;
  });
}

void BackendModel::warm_up() {
  if (functions_.warm_up == nullptr) {
    return;
  }
  const std::optional<std::string> failure =
      failure_of([&](remotemedia_error* error) { return functions_.warm_up(model_, error) == 0; });
  if (failure) {
    throw Error(ErrorCode::load_failed, engine_ + " cannot warm up model '" + model_id_ + "': " + *failure);
  }
}

TensorMap BackendModel::infer(const TensorMap& inputs, InferenceContext& context) {
  OneCall call(signature_, inputs, context);
  const remotemedia_call in_c = call.in_c();
  const std::optional<std::string> failure =
      failure_of([&](remotemedia_error* error) { return functions_.infer(model_, &in_c, error) == 0; });
  copied_bytes_.fetch_add(call.copied_bytes(), std::memory_order_relaxed);
  if (failure && !call.gave_up()) {
    throw Error(ErrorCode::inference_failed, engine_ + ", model '" + model_id_ + "': " + *failure);
  }
  return call.take_outputs();
}

}  // namespace remotemedia
