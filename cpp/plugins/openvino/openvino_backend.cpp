// SPDX-License-Identifier: Apache-2.0
//
// The OpenVINO plug-in: ONNX and IR files.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "bound_request.h"
#include "openvino_model.h"
#include "openvino_options.h"
#include "remotemedia/backends/backend_plugin.h"
#include "request_pool.h"

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
    pools_.emplace_back(model_, model_.compiled, load.instances());
    for (ov::CompiledModel& fixed : model_.fixed) {
      pools_.emplace_back(model_, fixed, load.instances());
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

  void warm_up() {
    for (std::size_t rows = 0; rows < pools_.size(); ++rows) {
      const auto some_rows = static_cast<std::int64_t>(rows == 0 ? 1 : rows);
      pools_[rows].run([&](BoundRequest& request) { request.warm_up(model_, some_rows); });
    }
  }

  void infer(const PluginCall& call) {
    const std::int64_t rows = max_batch_size_ > 0 && !call.inputs().empty() ? call.inputs()[0].shape[0] : 1;
    const auto fixed = static_cast<std::size_t>(rows);
    RequestPool& pool = pools_[fixed < pools_.size() ? fixed : 0];
    pool.run([&](BoundRequest& request) { request.infer(model_, rows, call); });
  }

 private:
  std::int64_t max_batch_size_;
  OpenvinoModel model_;
  std::deque<RequestPool> pools_;  ///< For any number of rows, then for 1, 2, ...
};

}  // namespace
}  // namespace remotemedia::openvino_plugin

REMOTEMEDIA_BACKEND(remotemedia::openvino_plugin::OpenvinoEngine)
