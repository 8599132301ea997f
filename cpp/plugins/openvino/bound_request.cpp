// SPDX-License-Identifier: Apache-2.0

#include "bound_request.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace remotemedia::openvino_plugin {

namespace {

constexpr std::size_t kMostCopied = 4096;

std::size_t bytes_of(const ModelPort& port, const ov::Shape& shape) { return ov::shape_size(shape) * port.type.size(); }

/// Whether the engine may use a caller's memory, and should.
bool lies_in_place(const ModelPort& port, const ov::Shape& shape, std::int64_t rows) {
  return port.lies_alike(rows) && bytes_of(port, shape) > kMostCopied;
}

/// Makes `own` a tensor of that shape, and binds it, unless it is one already.
template <class Bind>
void keep_bound(ov::Tensor& own, const ModelPort& port, const ov::Shape& shape, const Bind& bind) {
  if (own && own.get_shape() == shape) {
    return;
  }
  const ov::Tensor made(port.type, shape);
  bind(made);
  own = made;
}

}  // namespace

BoundRequest::BoundRequest(const OpenvinoModel& model, ov::CompiledModel& network)
    : request_(network.create_infer_request()), own_inputs_(model.inputs.size()), own_outputs_(model.outputs.size()) {}

void BoundRequest::infer(const OpenvinoModel& model, std::int64_t rows, const PluginCall& call) {
  for (const ModelPort& port : model.inputs) {
    bind_input(port, call.inputs()[port.index], rows, call);
  }
  for (const ModelPort& port : model.outputs) {
    if (port.is_static()) {
      bind_output(port, rows, call);
    }
  }
  request_.infer();
  for (const ModelPort& port : model.outputs) {
    if (!port.is_static() || own_outputs_[port.index]) {
      copy_output(port, call);
    }
  }
}

void BoundRequest::warm_up(const OpenvinoModel& model, std::int64_t rows) {
  if (!std::ranges::all_of(model.inputs, &ModelPort::is_static)) {
    return;
  }
  for (const ModelPort& port : model.inputs) {
    ov::Tensor& zeros = own_input(port, port.engine_shape(rows));
    std::memset(zeros.data(), 0, zeros.get_byte_size());
  }
  request_.infer();
}

void BoundRequest::bind_input(const ModelPort& port, const remotemedia_tensor& given, std::int64_t rows,
                              const PluginCall& call) {
  const ov::Shape shape = port.engine_shape(given.shape, given.rank);
  if (lies_in_place(port, shape, rows)) {
    // The engine's tensors are not const, but it does not write to its inputs.
    request_.set_input_tensor(port.index, ov::Tensor(port.type, shape, const_cast<void*>(given.data)));
    own_inputs_[port.index] = {};
    return;
  }
  ov::Tensor& own = own_input(port, shape);
  if (port.lies_alike(rows)) {
    std::memcpy(own.data(), given.data, own.get_byte_size());
  } else {
    port.to_engine(given.data, own.data(), shape);
  }
  call.copied(own.get_byte_size());
}

void BoundRequest::bind_output(const ModelPort& port, std::int64_t rows, const PluginCall& call) {
  ov::Tensor& own = own_outputs_[port.index];
  const ov::Shape shape = port.engine_shape(rows);
  if (!lies_in_place(port, shape, rows)) {
    // A request keeps its tensors, and the last one may be a caller's that was given for fewer rows.
    keep_bound(own, port, shape, [&](const ov::Tensor& made) { request_.set_output_tensor(port.index, made); });
    return;
  }
  void* memory = call.output(port.name.c_str(), port.worker_shape(rows));
  request_.set_output_tensor(port.index, ov::Tensor(port.type, shape, memory));
  own = {};
}

void BoundRequest::copy_output(const ModelPort& port, const PluginCall& call) {
  ov::Tensor made = port.is_static() ? own_outputs_[port.index] : request_.get_output_tensor(port.index);
  const ov::Shape engine_shape = made.get_shape();
  std::vector<std::int64_t> shape(engine_shape.begin(), engine_shape.end());
  if (port.batch_axis) {
    const auto axis = shape.begin() + static_cast<std::ptrdiff_t>(*port.batch_axis);
    std::rotate(shape.begin(), axis, axis + 1);
  }
  void* memory = call.output(port.name.c_str(), shape);
  if (port.batch_axis && *port.batch_axis > 0) {
    port.to_worker(made.data(), memory, engine_shape);
  } else {
    std::memcpy(memory, made.data(), made.get_byte_size());
  }
  call.copied(made.get_byte_size());
}

ov::Tensor& BoundRequest::own_input(const ModelPort& port, const ov::Shape& shape) {
  ov::Tensor& own = own_inputs_[port.index];
  keep_bound(own, port, shape, [&](const ov::Tensor& made) { request_.set_input_tensor(port.index, made); });
  return own;
}

}  // namespace remotemedia::openvino_plugin
