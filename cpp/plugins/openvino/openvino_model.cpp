// SPDX-License-Identifier: Apache-2.0

#include "openvino_model.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <openvino/frontend/manager.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/util/multi_subgraph_base.hpp>
#include <optional>
#include <stdexcept>

namespace remotemedia::openvino_plugin {

namespace {

constexpr std::size_t kFixedBatches = 4;
constexpr std::uint64_t kSmallNetwork = 4ULL * 1024 * 1024;

std::shared_ptr<ov::op::v0::Parameter> parameter_named(const ov::Model& model, const std::string& name) {
  for (const auto& parameter : model.get_parameters()) {
    if (port_name(std::as_const(*parameter).output(0)) == name) {
      return parameter;
    }
  }
  throw std::invalid_argument("option fix." + name + ": the model has no such input");
}

void fix_inputs(ov::Model& model, const std::map<std::string, double>& fixed) {
  for (const auto& [name, value] : fixed) {
    const auto parameter = parameter_named(model, name);
    if (parameter->get_partial_shape().is_dynamic()) {
      throw std::invalid_argument("option fix." + name + ": that input has no fixed shape");
    }
    const auto constant = ov::op::v0::Constant::create(parameter->get_element_type(), parameter->get_shape(), {value});
    parameter->output(0).replace(constant->output(0));
    model.remove_parameter(parameter);
  }
  model.validate_nodes_and_infer_types();
}

std::size_t axis_of(const OpenvinoOptions& options, const std::string& name) {
  const auto given = options.batch_axes.find(name);
  return given == options.batch_axes.end() ? 0 : given->second;
}

void check_names(const ov::Model& model, const OpenvinoOptions& options) {
  const auto is_called = [](const std::string& name) {
    return [&name](const ov::Output<const ov::Node>& port) { return port_name(port) == name; };
  };
  for (const auto& [name, axis] : options.batch_axes) {
    if (std::ranges::none_of(model.inputs(), is_called(name)) &&
        std::ranges::none_of(model.outputs(), is_called(name))) {
      throw std::invalid_argument("option batch_axis." + name + ": the model has no such input or output");
    }
  }
}

/// PartialShape counts its axes with a sign.
ov::Dimension extent_of(const ov::PartialShape& shape, std::size_t axis) {
  return shape[static_cast<std::ptrdiff_t>(axis)];
}

[[noreturn]] void refuse_batch(const std::string& port, const std::string& why) {
  std::string text = "'" + port + "' ";
  text += why;
  text += ": name the batch with batch_axis." + port;
  text += ", or load the model with a batch of 0";
  throw std::invalid_argument(text);
}

/// Each input's batch axis may have 1 to `most` rows.
void make_batches(ov::Model& model, const OpenvinoOptions& options, std::int64_t most) {
  std::map<ov::Output<ov::Node>, ov::PartialShape> shapes;
  for (const ov::Output<ov::Node>& input : model.inputs()) {
    const std::string name = port_name(input);
    const std::size_t axis = axis_of(options, name);
    ov::PartialShape shape = input.get_partial_shape();
    if (shape.rank().is_dynamic() || axis >= shape.size()) {
      refuse_batch(name, "has no axis " + std::to_string(axis));
    }
    const ov::Dimension rows = extent_of(shape, axis);
    if (rows.is_static() && rows.get_length() != 1) {
      refuse_batch(name, "always has " + std::to_string(rows.get_length()) + " in axis " + std::to_string(axis));
    }
    shape[static_cast<std::ptrdiff_t>(axis)] = ov::Dimension(1, most);
    shapes[input] = shape;
  }
  model.reshape(shapes);
}

/// Dimension(1, 1) is static.
bool may_have_rows(const ov::Dimension& extent, std::int64_t most_rows) {
  return extent.is_dynamic() || (most_rows == 1 && extent.get_length() == 1);
}

ModelPort port_of(const ov::Output<const ov::Node>& port, std::size_t index, const OpenvinoOptions& options,
                  std::int64_t most_rows) {
  ModelPort ours{port_name(port), index, port.get_element_type(), {}};
  dtype_name(ours.type, ours.name);
  const ov::PartialShape& shape = port.get_partial_shape();
  if (shape.rank().is_dynamic()) {
    throw std::invalid_argument("'" + ours.name + "' has no fixed number of dimensions");
  }
  if (most_rows > 0) {
    ours.batch_axis = axis_of(options, ours.name);
    if (*ours.batch_axis >= shape.size() || !may_have_rows(extent_of(shape, *ours.batch_axis), most_rows)) {
      refuse_batch(ours.name, "does not grow with the batch in axis " + std::to_string(*ours.batch_axis));
    }
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (ours.batch_axis != axis) {
      const ov::Dimension extent = extent_of(shape, axis);
      ours.shape.push_back(extent.is_static() ? extent.get_length() : -1);
    }
  }
  return ours;
}

/// Networks of up to so many rows of their own.
std::size_t fixed_batches(const OpenvinoModel& model, const OpenvinoOptions& options, std::int64_t most) {
  if (most <= 1 || !std::ranges::all_of(model.inputs, &ModelPort::is_static)) {
    return 0;
  }
  const std::size_t usual = model.weight_bytes <= kSmallNetwork ? kFixedBatches : 0;
  return std::min(options.fixed_batches.value_or(usual), static_cast<std::size_t>(most));
}

std::shared_ptr<ov::Model> with_rows(const ov::Model& model, const std::vector<ModelPort>& inputs, std::int64_t rows) {
  std::shared_ptr<ov::Model> fixed = model.clone();
  std::map<std::size_t, ov::PartialShape> shapes;
  for (const ModelPort& port : inputs) {
    shapes[port.index] = port.engine_shape(rows);
  }
  fixed->reshape(shapes);
  return fixed;
}

/// "gpu:1" is the engine's "GPU.1".
std::string engine_device(std::string device) {
  std::ranges::transform(device, device.begin(), [](unsigned char letter) { return std::toupper(letter); });
  std::ranges::replace(device, ':', '.');
  return device;
}

std::uint64_t bytes_of_weights(const ov::Model& model) {
  std::uint64_t bytes = 0;
  for (const auto& node : model.get_ops()) {
    if (const auto constant = std::dynamic_pointer_cast<ov::op::v0::Constant>(node)) {
      bytes += constant->get_byte_size();
    } else if (const auto branches = std::dynamic_pointer_cast<ov::op::util::MultiSubGraphOp>(node)) {
      for (const auto& body : branches->get_functions()) {
        bytes += bytes_of_weights(*body);
      }
    }
  }
  return bytes;
}

/// core.read_model() would ask every kind of network that the engine knows whether the file is one.
std::shared_ptr<ov::Model> read_onnx(const std::string& path) {
  const auto onnx = ov::frontend::FrontEndManager().load_by_framework("onnx");
  return onnx->convert(onnx->load(path));
}

bool is_onnx(std::string path) {
  std::ranges::transform(path, path.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return path.ends_with(".onnx");
}

}  // namespace

std::shared_ptr<ov::Model> read_model(ov::Core& core, const std::string& path, const OpenvinoOptions& options,
                                      const Target& target) {
  core.set_property(ov::enable_mmap(false));  // a mapped file that somebody cuts off ends the process
  auto model = is_onnx(path) && !std::filesystem::is_directory(path) ? read_onnx(path) : core.read_model(path);
  if (model->outputs().empty()) throw std::invalid_argument("it holds no network");
  fix_inputs(*model, options.fixed);
  check_names(*model, options);
  if (target.max_batch_size > 0) {
    make_batches(*model, options, target.max_batch_size);
  }
  return model;
}

OpenvinoModel compile_model(ov::Core& core, const std::shared_ptr<ov::Model>& model, const OpenvinoOptions& options,
                            const Target& target) {
  ov::AnyMap settings{ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                      ov::hint::execution_mode(ov::hint::ExecutionMode::ACCURACY),
                      ov::num_streams(static_cast<std::int32_t>(target.instances)),
                      ov::hint::enable_cpu_pinning(false)};  // every engine of the machine would take the same CPU
  if (options.threads > 0) {
    settings.emplace(ov::inference_num_threads(static_cast<std::int32_t>(options.threads)));
  }
  if (!options.cache_dir.empty()) {
    settings.emplace(ov::cache_dir(options.cache_dir));
  }
  OpenvinoModel ours;
  ours.device = target.device;
  ours.weight_bytes = bytes_of_weights(*model);
  const ov::Model& described = *model;
  for (std::size_t index = 0; index < described.inputs().size(); ++index) {
    ours.inputs.push_back(port_of(described.input(index), index, options, target.max_batch_size));
  }
  for (std::size_t index = 0; index < described.outputs().size(); ++index) {
    ours.outputs.push_back(port_of(described.output(index), index, options, target.max_batch_size));
  }
  const std::string device = engine_device(target.device);
  const std::size_t fixed = fixed_batches(ours, options, target.max_batch_size);
  for (std::size_t rows = 1; rows <= fixed; ++rows) {
    ours.fixed.push_back(
        core.compile_model(with_rows(*model, ours.inputs, static_cast<std::int64_t>(rows)), device, settings));
  }
  ours.compiled = core.compile_model(model, device, settings);
  ours.weight_bytes *= fixed + 1;
  return ours;
}

}  // namespace remotemedia::openvino_plugin
