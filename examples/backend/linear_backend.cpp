// SPDX-License-Identifier: Apache-2.0
//
// A backend: an engine for files that end in .linear, which hold a matrix as text ("ROWS COLUMNS" and its numbers).
// Its model answers `x`, of COLUMNS numbers, with `y` = matrix * x, for as many rows at once as it is asked to take.

#include <remotemedia/backends/backend_plugin.h>

#include <cstdint>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace {

class Linear {
 public:
  static constexpr const char* kName = "linear";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kFileKinds[] = {".linear", nullptr};

  explicit Linear(const remotemedia::PluginLoad& load) : most_rows_(load.max_batch_size()) {
    if (!load.options.empty()) {
      throw std::invalid_argument("there is no option '" + load.options.begin()->first + "'");
    }
    std::ifstream file(load.path());
    if (!(file >> outputs_ >> inputs_) || outputs_ < 1 || inputs_ < 1 || outputs_ > 4096 || inputs_ > 4096) {
      throw std::runtime_error("the file does not begin with two numbers from 1 to 4096");
    }
    matrix_.resize(static_cast<std::size_t>(outputs_ * inputs_));
    for (std::size_t index = 0; index < matrix_.size(); ++index) {
      if (!(file >> matrix_[index])) {
        throw std::runtime_error("number " + std::to_string(index) + " of its matrix is missing");
      }
      load.progress(static_cast<double>(index + 1) / static_cast<double>(matrix_.size()), "reading");
    }
  }

  remotemedia::PluginDescription describe() const {
    return {.inputs = {{"x", "float32", {inputs_}}},
            .outputs = {{"y", "float32", {outputs_}}},
            .max_batch_size = most_rows_,
            .memory_bytes = matrix_.size() * sizeof(float)};
  }

  void warm_up() {}

  void infer(const remotemedia::PluginCall& call) const {
    const remotemedia_tensor& x = call.inputs()[0];
    const std::int64_t rows = most_rows_ > 0 ? x.shape[0] : 1;
    const std::vector<std::int64_t> shape =
        most_rows_ > 0 ? std::vector<std::int64_t>{rows, outputs_} : std::vector<std::int64_t>{outputs_};
    const auto* in = static_cast<const float*>(x.data);
    auto* out = static_cast<float*>(call.output("y", shape));
    for (std::int64_t row = 0; row < rows; ++row, in += inputs_) {
      for (std::int64_t of = 0; of < outputs_; ++of) {
        *out++ = std::inner_product(in, in + inputs_, matrix_.begin() + of * inputs_, 0.0F);
      }
    }
  }

 private:
  std::int64_t most_rows_;
  std::int64_t outputs_ = 0;
  std::int64_t inputs_ = 0;
  std::vector<float> matrix_;
};

}  // namespace

REMOTEMEDIA_BACKEND(Linear)
