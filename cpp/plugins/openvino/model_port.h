// SPDX-License-Identifier: Apache-2.0
//
// ModelPort: an input or an output of an OpenVINO model, as the worker sees it and as the engine does.

#pragma once

#include <cstddef>
#include <cstdint>
#include <openvino/openvino.hpp>
#include <optional>
#include <string>
#include <vector>

namespace remotemedia::openvino_plugin {

struct ModelPort {
  std::string name;
  std::size_t index = 0;  ///< Among the engine's inputs, or its outputs.
  ov::element::Type type;
  std::vector<std::int64_t> shape;             ///< Without the batch; -1 may be any.
  std::optional<std::size_t> batch_axis = {};  ///< The engine's.

  /// Whether everything is known but how many rows there are.
  bool is_static() const;

  /// The worker's shape with `rows` in front, where there is a batch.
  std::vector<std::int64_t> worker_shape(std::int64_t rows) const;

  /// The engine's shape for a tensor that the worker sees as `shape`, batch in front.
  ov::Shape engine_shape(const std::int64_t* shape, std::size_t rank) const;

  /// The engine's shape for so many rows. Of a static port.
  ov::Shape engine_shape(std::int64_t rows) const;

  /// Whether both shapes mean the same bytes for so many rows.
  bool lies_alike(std::int64_t rows) const;

  /// Copies between the worker's order of axes and the engine's.
  void to_engine(const void* worker, void* engine, const ov::Shape& engine_shape) const;
  void to_worker(const void* engine, void* worker, const ov::Shape& engine_shape) const;
};

/// NumPy's name of a type.
///
/// Errors:  std::runtime_error for one that no tensor has.
const char* dtype_name(const ov::element::Type& type, const std::string& port);

/// What the port is called: its first name, or its node's.
std::string port_name(const ov::Output<const ov::Node>& port);

}  // namespace remotemedia::openvino_plugin
