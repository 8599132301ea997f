// SPDX-License-Identifier: Apache-2.0
//
// The OpenVINO plug-in: ONNX and IR files.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <openvino/openvino.hpp>
#include <string>
#include <utility>
#include <vector>

#include "openvino_model.h"
#include "openvino_options.h"
#include "remotemedia/backends/backend_plugin.h"

namespace remotemedia::openvino_plugin {

namespace {

PluginSpec spec_of(const ModelPort& port) { return {port.name, dtype_name(port.type, port.name), port.shape}; }

class OpenvinoEngine {
 public:
  static constexpr const char* kName = "openvino";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kFileKinds[] = {".onnx", ".xml", nullptr};

  explicit OpenvinoEngine(const PluginLoad& load) : max_batch_size_(load.max_batch_size()) {
    const OpenvinoOptions options = read_options(load.options);
    const Target target{load.device(), max_batch_size_, load.instances()};
    load.progress(0, "reading");
    ov::Core core;
    const auto model = read_model(core, load.path(), options, target);
    load.progress(0.3, "compiling");
    model_ = compile_model(core, model, options, target);
    for (std::size_t instance = 0; instance < load.instances(); ++instance) {
      idle_.push_back(model_.compiled.create_infer_request());
    }
    load.progress(1, "loaded");
  }

  PluginDescription describe() const {
    PluginDescription description;
    for (const ModelPort& port : model_.inputs) {
      description.inputs.push_back(spec_of(port));
    }
    for (const ModelPort& port : model_.outputs) {
      description.outputs.push_back(spec_of(port));
    }
    description.max_batch_size = max_batch_size_;
    description.memory_bytes = model_.weight_bytes;
    description.device = model_.device;
    return description;
  }

  /// One call of zeros, which is where the engine allocates; not where a shape is not known.
  void warm_up() {
    ov::InferRequest request = take();
    const bool all_known = std::ranges::all_of(model_.inputs, &ModelPort::is_static);
    for (const ModelPort& port : model_.inputs) {
      const std::vector<std::int64_t> shape = port.worker_shape(1);
      if (all_known) {
        ov::Tensor zeros(port.type, port.engine_shape(shape.data(), shape.size()));
        std::memset(zeros.data(), 0, zeros.get_byte_size());
        request.set_input_tensor(port.index, zeros);
      }
    }
    if (all_known) {
      request.infer();
    }
    give_back(std::move(request));
  }

  void infer(const PluginCall& call) {
    ov::InferRequest request = take();
    const std::int64_t rows = max_batch_size_ > 0 && !call.inputs().empty() ? call.inputs()[0].shape[0] : 1;
    for (const ModelPort& port : model_.inputs) {
      bind_input(request, port, call.inputs()[port.index], rows, call);
    }
    for (const ModelPort& port : model_.outputs) {
      if (lies_in_place(port, rows)) {
        bind_output(request, port, rows, call);
      } else if (port.is_static()) {
        bind_own_output(request, port, rows);
      }
    }
    request.infer();
    for (const ModelPort& port : model_.outputs) {
      if (!lies_in_place(port, rows)) {
        copy_output(request, port, call);
      }
    }
    give_back(std::move(request));
  }

 private:
  static void bind_input(ov::InferRequest& request, const ModelPort& port, const remotemedia_tensor& given,
                         std::int64_t rows, const PluginCall& call) {
    const ov::Shape shape = port.engine_shape(given.shape, given.rank);
    if (port.lies_alike(rows)) {
      // The engine's tensors are not const, but it does not write to its inputs.
      request.set_input_tensor(port.index, ov::Tensor(port.type, shape, const_cast<void*>(given.data)));
      return;
    }
    ov::Tensor moved(port.type, shape);
    port.to_engine(given.data, moved.data(), shape);
    call.copied(moved.get_byte_size());
    request.set_input_tensor(port.index, moved);
  }

  static bool lies_in_place(const ModelPort& port, std::int64_t rows) {
    return port.is_static() && port.lies_alike(rows);
  }

  static void bind_output(ov::InferRequest& request, const ModelPort& port, std::int64_t rows, const PluginCall& call) {
    const std::vector<std::int64_t> shape = port.worker_shape(rows);
    void* memory = call.output(port.name.c_str(), shape);
    request.set_output_tensor(port.index, ov::Tensor(port.type, port.engine_shape(shape.data(), shape.size()), memory));
  }

  /// A request keeps its tensors, and the last one may be a caller's that was given for fewer rows.
  static void bind_own_output(ov::InferRequest& request, const ModelPort& port, std::int64_t rows) {
    const std::vector<std::int64_t> shape = port.worker_shape(rows);
    request.set_output_tensor(port.index, ov::Tensor(port.type, port.engine_shape(shape.data(), shape.size())));
  }

  static void copy_output(ov::InferRequest& request, const ModelPort& port, const PluginCall& call) {
    const ov::Tensor given = request.get_output_tensor(port.index);
    const ov::Shape engine_shape = given.get_shape();
    std::vector<std::int64_t> shape(engine_shape.begin(), engine_shape.end());
    if (port.batch_axis) {
      const auto axis = shape.begin() + static_cast<std::ptrdiff_t>(*port.batch_axis);
      std::rotate(shape.begin(), axis, axis + 1);
    }
    void* memory = call.output(port.name.c_str(), shape);
    if (port.batch_axis && *port.batch_axis > 0) {
      port.to_worker(given.data(), memory, engine_shape);
    } else {
      std::memcpy(memory, given.data(), given.get_byte_size());
    }
    call.copied(given.get_byte_size());
  }

  ov::InferRequest take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      return model_.compiled.create_infer_request();
    }
    ov::InferRequest request = std::move(idle_.back());
    idle_.pop_back();
    return request;
  }

  void give_back(ov::InferRequest request) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(request));
  }

  std::int64_t max_batch_size_;
  OpenvinoModel model_;
  std::mutex mutex_;
  std::vector<ov::InferRequest> idle_;
};

}  // namespace
}  // namespace remotemedia::openvino_plugin

REMOTEMEDIA_BACKEND(remotemedia::openvino_plugin::OpenvinoEngine)
