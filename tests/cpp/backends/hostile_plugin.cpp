// SPDX-License-Identifier: Apache-2.0
//
// A plug-in written by hand that does wrong what the model file says, a word: in load, in describe or in infer.

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "remotemedia/backends/backend_abi.h"

struct remotemedia_model {
  std::string word;
  std::array<std::int64_t, 80> shape{};
  std::array<remotemedia_spec, 2> inputs{};
  remotemedia_spec output{};
  remotemedia_description description{};
};

namespace {

const char* const kFileKinds[] = {".hostile", nullptr};
int living = 0;

void say(remotemedia_error* error, const char* text) { std::strncpy(error->text, text, sizeof(error->text) - 1); }

void describe_as(remotemedia_model& model) {
  model.shape.fill(1);
  model.inputs[0] = {"x", "float32", model.shape.data(), 1};
  model.inputs[1] = {"x", "float32", model.shape.data(), 1};
  model.output = {"y", "float32", model.shape.data(), 1};
  model.description = {model.inputs.data(), 1, &model.output, 1, 0, 0, nullptr};
  const std::string& word = model.word;
  if (word == "no-name") {
    model.inputs[0].name = nullptr;
  } else if (word == "no-dtype") {
    model.inputs[0].dtype = nullptr;
  } else if (word == "unknown-dtype") {
    model.output.dtype = "float31";
  } else if (word == "bytes") {
    model.output.dtype = "bytes";
  } else if (word == "too-many-dimensions") {
    model.output.rank = model.shape.size();
  } else if (word == "no-shape") {
    model.output.shape = nullptr;
  } else if (word == "negative-extent") {
    model.shape[0] = -2;
  } else if (word == "name-twice") {
    model.description.input_count = 2;
  } else if (word == "adds-two-inputs") {
    model.inputs[1].name = "z";
    model.description.input_count = 2;
  } else if (word == "no-inputs-there") {
    model.description.inputs = nullptr;
  } else if (word == "endless-inputs") {
    model.description.input_count = SIZE_MAX;
  } else if (word == "no-outputs") {
    model.description.output_count = 0;
  } else if (word == "negative-batch") {
    model.description.max_batch_size = -1;
  }
}

remotemedia_model* load(const remotemedia_load* request, remotemedia_error* error) {
  std::string word;
  std::ifstream(request->path) >> word;
  if (word == "throws-in-load") {
    throw std::runtime_error("thrown in load");
  }
  if (word == "throws-a-number-in-load") {
    throw 7;
  }
  if (word == "says-nothing") {
    return nullptr;
  }
  if (word == "says-too-much") {
    std::memset(error->text, 'x', sizeof(error->text));
    return nullptr;
  }
  if (word == "fails-to-load") {
    say(error, "the weights are torn");
    return nullptr;
  }
  request->progress(request->host, -1, nullptr);
  request->progress(request->host, 17, "beyond the end");
  auto* model = new remotemedia_model;
  model->word = word;
  describe_as(*model);
  ++living;
  return model;
}

const remotemedia_description* describe(const remotemedia_model* model) {
  if (model->word == "describes-nothing") {
    return nullptr;
  }
  if (model->word == "throws-in-describe") {
    throw std::runtime_error("thrown in describe");
  }
  return &model->description;
}

int infer(remotemedia_model* model, const remotemedia_call* call, remotemedia_error* error) {
  const std::int64_t shape[] = {1};
  const std::int64_t huge[] = {std::int64_t{1} << 61};
  const std::string& word = model->word;
  if (word == "throws-in-infer") {
    throw std::runtime_error("thrown in infer");
  }
  if (word == "fails-to-infer") {
    say(error, "the engine stalled");
    return 1;
  }
  if (word == "gives-what-it-did-not-describe") {
    return call->output(call->host, "z", shape, 1) == nullptr ? 1 : 0;
  }
  if (word == "gives-no-name") {
    call->output(call->host, nullptr, shape, 1);
    return 0;
  }
  if (word == "gives-too-much") {
    return call->output(call->host, "y", huge, 1) == nullptr ? 1 : 0;
  }
  auto* y = static_cast<float*>(call->output(call->host, "y", shape, 1));
  *y = word == "tells-how-many-live" ? static_cast<float>(living) : *static_cast<const float*>(call->inputs[0].data);
  if (word == "adds-two-inputs") {
    for (std::size_t index = 1; index < call->input_count; ++index) {
      *y += call->inputs[index].shape[0] == 1 ? *static_cast<const float*>(call->inputs[index].data) : 0;
    }
  }
  if (word == "gives-it-twice") {
    call->output(call->host, "y", shape, 1);
  }
  return 0;
}

void unload(remotemedia_model* model) {
  const bool throws = model->word == "throws-in-unload";
  delete model;
  --living;
  if (throws) {
    throw std::runtime_error("thrown in unload");
  }
}

const remotemedia_backend_functions kFunctions{
    REMOTEMEDIA_BACKEND_ABI, "hostile", "0.1", kFileKinds, load, describe, nullptr, infer, unload};

}  // namespace

extern "C" const remotemedia_backend_functions* remotemedia_backend(void) { return &kFunctions; }
