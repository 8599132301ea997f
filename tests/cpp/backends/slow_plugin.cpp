// SPDX-License-Identifier: Apache-2.0
//
// A backend whose loads last as long as somebody wants. A file that ends in .slow is empty, or names a pipe: the load
// reads its lines, "FRACTION STAGE" to be reported or "fail TEXT", and is over when it ends. y = x.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "remotemedia/backends/backend_plugin.h"

namespace {

class Slow {
 public:
  static constexpr const char* kName = "slow";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kFileKinds[] = {".slow", nullptr};

  explicit Slow(const remotemedia::PluginLoad& load) {
    std::ifstream file(load.path());
    std::string pipe;
    if (!std::getline(file, pipe)) return;
    std::ifstream lines(pipe);  // waits until somebody writes
    std::string word;
    std::string rest;
    while (lines >> word && std::getline(lines >> std::ws, rest)) {
      if (word == "fail") throw std::runtime_error(rest);
      load.progress(std::stod(word), rest.c_str());
    }
  }

  static remotemedia::PluginDescription describe() {
    return {.inputs = {{"x", "float32", {2}}}, .outputs = {{"y", "float32", {2}}}, .memory_bytes = 16};
  }

  void warm_up() {}

  static void infer(const remotemedia::PluginCall& call) {
    const std::vector<std::int64_t> shape{2};
    const auto* x = static_cast<const float*>(call.inputs()[0].data);
    std::copy_n(x, 2, static_cast<float*>(call.output("y", shape)));
  }
};

}  // namespace

REMOTEMEDIA_BACKEND(Slow)
