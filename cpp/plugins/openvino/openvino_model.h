// SPDX-License-Identifier: Apache-2.0
//
// OpenvinoModel: a file, read and compiled for a device.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "model_port.h"
#include "openvino_options.h"

namespace remotemedia::openvino_plugin {

struct OpenvinoModel {
  ov::CompiledModel compiled;            ///< For any number of rows.
  std::vector<ov::CompiledModel> fixed;  ///< For 1 row, 2, ...: quicker.
  std::vector<ModelPort> inputs;
  std::vector<ModelPort> outputs;
  std::uint64_t weight_bytes = 0;  ///< Of all of them.
  std::string device;
};

/// What a model is compiled for.
struct Target {
  std::string device;               ///< The worker's name of it: "cpu", "gpu:1".
  std::int64_t max_batch_size = 0;  ///< Above 0: every input and output gets a batch of 1 to as many rows.
  std::size_t instances = 1;
};

/// Errors:  std::exception; std::invalid_argument for what the model cannot be, with what to ask for instead.
std::shared_ptr<ov::Model> read_model(ov::Core& core, const std::string& path, const OpenvinoOptions& options,
                                      const Target& target);
OpenvinoModel compile_model(ov::Core& core, const std::shared_ptr<ov::Model>& model, const OpenvinoOptions& options,
                            const Target& target);

}  // namespace remotemedia::openvino_plugin
