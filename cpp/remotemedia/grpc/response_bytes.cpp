// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/response_bytes.h"

#include <cstdint>
#include <utility>

#include "remotemedia/grpc/raw_slices.h"
#include "remotemedia/grpc/status_of.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/requested_outputs.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {
namespace {

using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

/// part: where it lies; none: its elements follow.
void add_output(ModelInferResponse& response, const std::string& name, const TensorBuffer& tensor, bool of_client,
                const RegionPart* part) {
  ModelInferResponse::InferOutputTensor& output = *response.add_outputs();
  output.set_name(name);
  output.set_datatype(std::string(of_client ? oip_name(tensor.dtype()) : checked_oip_name(tensor.dtype())));
  for (const std::int64_t extent : tensor.shape()) output.add_shape(extent);
  if (part == nullptr) return;
  auto& parameters = *output.mutable_parameters();
  parameters["shared_memory_region"].set_string_param(part->region);
  parameters["shared_memory_byte_size"].set_int64_param(static_cast<std::int64_t>(tensor.nbytes()));
  if (part->offset > 0) parameters["shared_memory_offset"].set_int64_param(static_cast<std::int64_t>(part->offset));
}

const RegionPart* part_of(const AnswerHead& head, const std::string& name) {
  const auto found = head.output_parts.find(name);
  return found == head.output_parts.end() ? nullptr : &found->second;
}

ModelInferResponse answer_to(const AnswerHead& head) {
  ModelInferResponse response;
  response.set_model_name(head.model_id);
  response.set_model_version(std::string(kModelVersion));
  response.set_id(head.request_id);
  return response;
}

RawSlices slices_of(ModelInferResponse response, const AnswerHead& head, TensorMap outputs,
                    const ModelSignature& signature) {
  std::vector<std::pair<std::string, TensorBuffer>> ordered =
      in_requested_order(std::move(outputs), head.requested, signature);
  for (const auto& [name, tensor] : ordered) add_output(response, name, tensor, head.of_client, part_of(head, name));
  RawSlices slices(response);
  for (auto& [name, tensor] : ordered) {
    if (const RegionPart* const part = part_of(head, name)) {
      write_to_part(*part, name, tensor);
      tensor = TensorBuffer::allocate({0}, DataType::uint8);
    }
    slices.append(ModelInferResponse::kRawOutputContentsFieldNumber, std::move(tensor));
  }
  return slices;
}

ModelInferResponse in_stream(const AnswerHead& head, bool last) {
  ModelInferResponse response = answer_to(head);
  (*response.mutable_parameters())["triton_final_response"].set_bool_param(last);
  return response;
}

grpc::ByteBuffer wrapped(RawSlices slices) {
  slices.wrap_in(ModelStreamInferResponse::kInferResponseFieldNumber);
  return slices.bytes();
}

}  // namespace

grpc::ByteBuffer response_bytes(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature) {
  return slices_of(answer_to(head), head, std::move(outputs), signature).bytes();
}

PartsToSend response_parts(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature) {
  ModelInferResponse response = answer_to(head);
  std::vector<TensorBuffer> contents;
  for (auto& [name, tensor] : in_requested_order(std::move(outputs), head.requested, signature)) {
    add_output(response, name, tensor, head.of_client, nullptr);
    contents.push_back(std::move(tensor));
  }
  return {response, std::move(contents)};
}

grpc::ByteBuffer stream_response_bytes(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature) {
  return wrapped(slices_of(in_stream(head, false), head, std::move(outputs), signature));
}

grpc::ByteBuffer stream_end_bytes(const AnswerHead& head) { return wrapped(RawSlices(in_stream(head, true))); }

grpc::ByteBuffer stream_error_bytes(const AnswerHead& head, const std::exception_ptr& error) {
  ModelStreamInferResponse response;
  response.set_error_message(status_of(error).error_message());
  *response.mutable_infer_response() = answer_to(head);
  if (head.of_client) {
    (*response.mutable_infer_response()->mutable_parameters())[kErrorKey].set_string_param(error_name(error));
  }
  const grpc::Slice slice(response.SerializeAsString());
  return {&slice, 1};
}

}  // namespace remotemedia::detail
