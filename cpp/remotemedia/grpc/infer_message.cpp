// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/infer_message.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/raw_slices.h"
#include "remotemedia/grpc/typed_contents.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/raw_tensor.h"
#include "remotemedia/oip/requested_outputs.h"

namespace remotemedia::detail {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;

[[noreturn]] void refuse(ErrorCode code, const std::string& why) { throw Error(code, why); }

/// Of a number beyond std::int64_t only an identity is left, which is all that a sequence_id is.
Parameter parameter_of(const std::string& name, const InferParameter& given) {
  switch (given.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return given.bool_param();
    case InferParameter::kInt64Param:
      return given.int64_param();
    case InferParameter::kStringParam:
      return given.string_param();
    case InferParameter::kDoubleParam:
      return given.double_param();
    case InferParameter::kUint64Param:
      break;
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      refuse(ErrorCode::invalid_argument, "the parameter '" + name + "' has no value");
  }
  if (given.uint64_param() > std::numeric_limits<std::int64_t>::max() && name != "sequence_id") {
    refuse(ErrorCode::invalid_argument, "the parameter '" + name + "' is a number above 2^63 - 1");
  }
  return static_cast<std::int64_t>(given.uint64_param());
}

Parameters parameters_of(const google::protobuf::Map<std::string, InferParameter>& given) {
  Parameters parameters;
  for (const auto& [name, value] : given) parameters.emplace(name, parameter_of(name, value));
  return parameters;
}

using DataTypeOf = DataType (*)(std::string_view);

DataType data_type_of_client(std::string_view name) {
  const std::optional<DataType> ours = data_type_from_name(name);
  return ours ? *ours : data_type_of_oip(name);
}

void set(const Parameter& value, InferParameter& parameter) {
  if (const auto* const flag = std::get_if<bool>(&value)) {
    parameter.set_bool_param(*flag);
  } else if (const auto* const number = std::get_if<std::int64_t>(&value)) {
    parameter.set_int64_param(*number);
  } else if (const auto* const real = std::get_if<double>(&value)) {
    parameter.set_double_param(*real);
  } else {
    parameter.set_string_param(std::get<std::string>(value));
  }
}

/// Who reads a message, and how.
struct Reading {
  DataTypeOf data_type_of;
  const ClientRegions& regions;
};

/// Of raw contents it takes the next: `next_raw` counts them.
TensorBuffer input_of(const ReceivedRequest& request, int i, std::size_t& next_raw, const Reading& reading) {
  const ModelInferRequest::InferInputTensor& input = request.message.inputs(i);
  Parameters parameters = parameters_of(input.parameters());
  const AnnouncedTensor announced{input.name(), reading.data_type_of(input.datatype()),
                                  std::span(input.shape().data(), static_cast<std::size_t>(input.shape_size()))};
  const std::optional<RegionPart> part = reading.regions.part_of(input.name(), parameters);
  const bool raw = !request.raw.empty();
  if (input.has_contents() && (raw || part)) {
    refuse(ErrorCode::invalid_tensor, "the tensor '" + input.name() + "' has contents beside " +
                                          (part ? "a region of shared memory" : "raw_input_contents"));
  }
  if (part) return tensor_of_part(announced, *part);
  if (!raw) return tensor_of_contents(announced, input.contents());
  if (next_raw == request.raw.size()) {
    refuse(ErrorCode::invalid_tensor, "the request has more inputs than raw_input_contents");
  }
  const RawContent& content = request.raw[next_raw++];
  return tensor_of_raw(announced, content.bytes, content.owner);
}

void take_requested(const ModelInferRequest& request, const WorkerCore& core, const Reading& reading,
                    ReceivedCall& received) {
  received.requested.reserve(static_cast<std::size_t>(request.outputs_size()));
  for (const auto& output : request.outputs()) {
    Parameters parameters = parameters_of(output.parameters());
    if (auto part = reading.regions.part_of(output.name(), parameters)) {
      received.output_parts.emplace(output.name(), std::move(*part));
    }
    received.requested.push_back(output.name());
  }
  check_requested(received.requested, core.signature(), core.model_id());
}

void take_inputs(const ReceivedRequest& request, const Reading& reading, Call& call) {
  std::size_t next_raw = 0;
  for (int i = 0; i < request.message.inputs_size(); ++i) {
    const std::string& name = request.message.inputs(i).name();
    if (call.inputs.contains(name)) refuse(ErrorCode::invalid_tensor, "the input '" + name + "' is there twice");
    call.inputs.emplace(name, input_of(request, i, next_raw, reading));
  }
  if (next_raw != request.raw.size()) {
    refuse(ErrorCode::invalid_tensor, "the request has " + std::to_string(request.raw.size()) +
                                          " raw_input_contents, and takes " + std::to_string(next_raw));
  }
}

ModelInferRequest request_head(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters) {
  ModelInferRequest request;
  request.set_model_name(model_id);
  for (const auto& [name, value] : parameters) set(value, (*request.mutable_parameters())[name]);
  for (const auto& [name, tensor] : inputs) {
    ModelInferRequest::InferInputTensor& input = *request.add_inputs();
    input.set_name(name);
    input.set_datatype(std::string(oip_name(tensor.dtype())));
    for (const std::int64_t extent : tensor.shape()) input.add_shape(extent);
  }
  return request;
}

}  // namespace

ReceivedCall received_call(const ReceivedRequest& request, const WorkerCore& core, const ClientRegions& regions) {
  Parameters parameters = parameters_of(request.message.parameters());
  ReceivedCall received;
  if (const auto found = parameters.find("triton_enable_empty_final_response"); found != parameters.end()) {
    const auto* const wanted = std::get_if<bool>(&found->second);
    received.wants_empty_final_response = wanted != nullptr && *wanted;
    parameters.erase(found);
  }
  take_parameters(std::move(parameters), received);

  const Reading reading{&data_type_of_oip, regions};
  take_requested(request.message, core, reading, received);
  take_inputs(request, reading, received.call);
  return received;
}

ReceivedCall call_of_client(const ReceivedRequest& request, const WorkerCore& core) {
  ReceivedCall received;
  static const ClientRegions none(false);
  const Reading reading{&data_type_of_client, none};
  received.call.parameters = parameters_of(request.message.parameters());
  received.wants_empty_final_response = true;
  take_requested(request.message, core, reading, received);
  take_inputs(request, reading, received.call);
  return received;
}

grpc::ByteBuffer request_bytes(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters) {
  RawSlices slices(request_head(model_id, inputs, parameters));
  for (const auto& [name, tensor] : inputs) slices.append(ModelInferRequest::kRawInputContentsFieldNumber, tensor);
  return slices.bytes();
}

PartsToSend request_parts(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters) {
  std::vector<TensorBuffer> contents;
  contents.reserve(inputs.size());
  for (const auto& [name, tensor] : inputs) contents.push_back(tensor);
  return {request_head(model_id, inputs, parameters), std::move(contents)};
}

TensorMap outputs_of(const ReceivedResponse& response) {
  const auto wrong = [](const std::string& why) {
    return Error(ErrorCode::protocol_error, "the worker is refused: its answer " + why);
  };
  const auto& announced_outputs = response.message.outputs();
  if (response.raw.size() != static_cast<std::size_t>(announced_outputs.size())) {
    throw wrong("has outputs without elements");
  }
  TensorMap outputs;
  for (std::size_t i = 0; i < response.raw.size(); ++i) {
    const auto& output = announced_outputs[static_cast<int>(i)];
    try {
      const AnnouncedTensor announced{output.name(), data_type_of_client(output.datatype()),
                                      std::span(output.shape().data(), static_cast<std::size_t>(output.shape_size()))};
      TensorBuffer tensor = tensor_of_raw(announced, response.raw[i].bytes, response.raw[i].owner);
      if (!outputs.emplace(output.name(), std::move(tensor)).second) throw wrong("has an output twice");
    } catch (const Error& error) {
      if (error.code() == ErrorCode::protocol_error) throw;
      throw wrong(std::string("has an output that is none: ") + error.what());
    }
  }
  return outputs;
}

}  // namespace remotemedia::detail
