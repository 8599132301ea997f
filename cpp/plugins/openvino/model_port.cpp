// SPDX-License-Identifier: Apache-2.0

#include "model_port.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <stdexcept>

namespace remotemedia::openvino_plugin {

namespace {

std::size_t product(const ov::Shape& shape, std::size_t first, std::size_t last) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(first),
                         shape.begin() + static_cast<std::ptrdiff_t>(last), std::size_t{1}, std::multiplies<>());
}

/// Moves the batch: for each of `outer` places before it and each row, one run of bytes.
template <class Move>
void each_run(const ov::Shape& engine_shape, std::size_t axis, std::size_t itemsize, const Move& move) {
  const std::size_t outer = product(engine_shape, 0, axis);
  const std::size_t rows = engine_shape.begin()[static_cast<std::ptrdiff_t>(axis)];
  const std::size_t run = product(engine_shape, axis + 1, engine_shape.size()) * itemsize;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t place = 0; place < outer; ++place) {
      move((row * outer + place) * run, (place * rows + row) * run, run);
    }
  }
}

}  // namespace

bool ModelPort::is_static() const {
  return std::ranges::none_of(shape, [](std::int64_t extent) { return extent < 0; });
}

std::vector<std::int64_t> ModelPort::worker_shape(std::int64_t rows) const {
  std::vector<std::int64_t> whole = shape;
  if (batch_axis) {
    whole.insert(whole.begin(), rows);
  }
  return whole;
}

ov::Shape ModelPort::engine_shape(const std::int64_t* worker, std::size_t rank) const {
  ov::Shape moved(worker, worker + rank);
  if (batch_axis) {
    std::rotate(moved.begin(), moved.begin() + 1, moved.begin() + static_cast<std::ptrdiff_t>(*batch_axis) + 1);
  }
  return moved;
}

ov::Shape ModelPort::engine_shape(std::int64_t rows) const {
  const std::vector<std::int64_t> whole = worker_shape(rows);
  return engine_shape(whole.data(), whole.size());
}

bool ModelPort::lies_alike(std::int64_t rows) const { return !batch_axis || *batch_axis == 0 || rows == 1; }

void ModelPort::to_engine(const void* worker, void* engine, const ov::Shape& engine_shape) const {
  each_run(engine_shape, *batch_axis, type.size(), [&](std::size_t from, std::size_t to, std::size_t bytes) {
    std::memcpy(static_cast<char*>(engine) + to, static_cast<const char*>(worker) + from, bytes);
  });
}

void ModelPort::to_worker(const void* engine, void* worker, const ov::Shape& engine_shape) const {
  each_run(engine_shape, *batch_axis, type.size(), [&](std::size_t to, std::size_t from, std::size_t bytes) {
    std::memcpy(static_cast<char*>(worker) + to, static_cast<const char*>(engine) + from, bytes);
  });
}

const char* dtype_name(const ov::element::Type& type, const std::string& port) {
  switch (static_cast<ov::element::Type_t>(type)) {
    case ov::element::Type_t::boolean:
      return "bool";
    case ov::element::Type_t::i8:
      return "int8";
    case ov::element::Type_t::i16:
      return "int16";
    case ov::element::Type_t::i32:
      return "int32";
    case ov::element::Type_t::i64:
      return "int64";
    case ov::element::Type_t::u8:
      return "uint8";
    case ov::element::Type_t::u16:
      return "uint16";
    case ov::element::Type_t::u32:
      return "uint32";
    case ov::element::Type_t::u64:
      return "uint64";
    case ov::element::Type_t::f16:
      return "float16";
    case ov::element::Type_t::bf16:
      return "bfloat16";
    case ov::element::Type_t::f32:
      return "float32";
    case ov::element::Type_t::f64:
      return "float64";
    default:
      throw std::runtime_error("'" + port + "' has elements of type " + type.get_type_name() + ", which no tensor has");
  }
}

std::string port_name(const ov::Output<const ov::Node>& port) {
  return port.get_names().empty() ? port.get_node()->get_friendly_name() : port.get_any_name();
}

}  // namespace remotemedia::openvino_plugin
