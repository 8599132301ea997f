// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/model_description.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/dims.h"

namespace remotemedia {

namespace {

constexpr std::size_t kMostTensors = 1024;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, what); }

TensorSpec read_spec(const remotemedia_spec& spec, const std::string& which) {
  if (spec.name == nullptr) {
    refuse(which + " has no name");
  }
  const std::string named = which + " '" + spec.name + "'";
  if (spec.dtype == nullptr) {
    refuse(named + " has no dtype");
  }
  const std::optional<DataType> dtype = data_type_from_name(spec.dtype);
  if (!dtype || *dtype == DataType::bytes) {
    refuse(named + " has elements of '" + spec.dtype + "', which is no dtype of a tensor");
  }
  if (spec.rank > kMaxRank - 1 || (spec.rank > 0 && spec.shape == nullptr)) {
    refuse(named + " has " + std::to_string(spec.rank) + " dimensions" +
           (spec.shape == nullptr ? " and no shape" : ""));
  }
  return {spec.name, *dtype, Dims(std::span(spec.shape, spec.rank))};
}

std::vector<TensorSpec> read_specs(const remotemedia_spec* specs, std::size_t count, const std::string& which) {
  if (count > kMostTensors || (count > 0 && specs == nullptr)) {
    refuse(std::to_string(count) + " " + which + "s" + (specs == nullptr ? ", and none is there" : ""));
  }
  std::vector<TensorSpec> read;
  for (std::size_t index = 0; index < count; ++index) {
    read.push_back(read_spec(specs[index], which));
  }
  return read;
}

}  // namespace

ModelDescription read_description(const remotemedia_description* description, const std::string& model_id) {
  if (description == nullptr) {
    refuse("nothing");
  }
  ModelDescription read;
  read.signature.inputs = read_specs(description->inputs, description->input_count, "input");
  read.signature.outputs = read_specs(description->outputs, description->output_count, "output");
  if (read.signature.outputs.empty()) {
    refuse("no output");
  }
  read.signature.max_batch_size = description->max_batch_size;
  check_signature(read.signature, model_id);
  read.memory_bytes = description->memory_bytes;
  read.device = description->device == nullptr ? "cpu" : description->device;
  return read;
}

}  // namespace remotemedia
