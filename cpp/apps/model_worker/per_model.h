// SPDX-License-Identifier: Apache-2.0
//
// PerModel: options that are given for all models, or as MODEL:VALUE for one.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "arguments.h"

namespace CLI {
class App;
}

namespace remotemedia::model_worker {

class PerModel {
 public:
  using Set = std::function<void(ServedModel& model, const std::string& value)>;
  using SetNumber = std::function<void(ServedModel& model, std::int64_t number)>;

  explicit PerModel(CLI::App& app) : app_(app) {}

  /// type: how help calls a value. set: throws CLI::ValidationError for a value that makes no sense.
  void add(const std::string& name, const std::string& help, const std::string& type, Set set);

  /// Of whole numbers from `least` to `most`; `usual` where it is not given.
  void add_number(const std::string& name, const std::string& help, std::int64_t usual, std::int64_t least,
                  std::int64_t most, SetNumber set);

  /// After the words were parsed: what is for all, then what is for one.
  ///
  /// Errors:  CLI::ValidationError.
  void apply(std::vector<ServedModel>& models) const;

 private:
  struct Option {
    std::string name;
    Set set;
    std::vector<std::string> words;
  };

  CLI::App& app_;
  std::deque<Option> options_;  // CLI11 keeps references
};

}  // namespace remotemedia::model_worker
