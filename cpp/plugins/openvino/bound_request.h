// SPDX-License-Identifier: Apache-2.0
//
// BoundRequest: an infer request of the engine, and what its inputs and outputs lie in.

#pragma once

#include <cstdint>
#include <openvino/openvino.hpp>
#include <vector>

#include "model_port.h"
#include "openvino_model.h"
#include "remotemedia/backends/backend_plugin.h"

namespace remotemedia::openvino_plugin {

/// Large tensors are the caller's own memory. Small ones are copied to and from memory that stays bound: binding takes
/// the engine longer than copying them.
///
/// Threads:  one at a time.
class BoundRequest {
 public:
  BoundRequest(const OpenvinoModel& model, ov::CompiledModel& network);

  /// One call, of `rows` where there is a batch.
  void infer(const OpenvinoModel& model, std::int64_t rows, const PluginCall& call);

  /// One call of zeros. Nothing where the shape of an input is not known.
  void warm_up(const OpenvinoModel& model, std::int64_t rows);

 private:
  void bind_input(const ModelPort& port, const remotemedia_tensor& given, std::int64_t rows, const PluginCall& call);
  void bind_output(const ModelPort& port, std::int64_t rows, const PluginCall& call);
  void copy_output(const ModelPort& port, const PluginCall& call);
  ov::Tensor& own_input(const ModelPort& port, const ov::Shape& shape);

  ov::InferRequest request_;
  std::vector<ov::Tensor> own_inputs_;   ///< Bound; none where a caller's is.
  std::vector<ov::Tensor> own_outputs_;  ///< Likewise, or where the engine makes it.
};

}  // namespace remotemedia::openvino_plugin
