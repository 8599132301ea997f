// SPDX-License-Identifier: Apache-2.0

#include "per_model.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <utility>

namespace remotemedia::model_worker {
namespace {

std::int64_t number_of(const std::string& name, const std::string& word, std::int64_t least, std::int64_t most) {
  std::string checked = word;
  std::string wrong = CLI::Range(least, most)(checked);
  std::int64_t number = 0;
  if (wrong.empty() && !CLI::detail::lexical_cast(checked, number)) wrong = "'" + word + "' is not a whole number";
  if (!wrong.empty()) throw CLI::ValidationError(name, wrong);
  return number;
}

}  // namespace

void PerModel::add(const std::string& name, const std::string& help, const std::string& type, Set set) {
  Option& option = options_.emplace_back(Option{name, std::move(set), {}});
  app_.add_option(name, option.words, help)->type_name(type)->expected(1)->take_all();
}

void PerModel::add_number(const std::string& name, const std::string& help, std::int64_t usual, std::int64_t least,
                          std::int64_t most, SetNumber set) {
  add(name, help + " (" + std::to_string(usual) + ")", "N",
      [name, least, most, set = std::move(set)](ServedModel& model, const std::string& word) {
        set(model, number_of(name, word, least, most));
      });
}

void PerModel::apply(std::vector<ServedModel>& models) const {
  const auto model_of = [&](const std::string& word) {
    const std::size_t sign = word.find(':');
    if (sign == std::string::npos) return models.end();
    return std::ranges::find(models, word.substr(0, sign), [](const ServedModel& each) { return each.file.model_id; });
  };
  for (const Option& option : options_) {
    for (const std::string& word : option.words) {
      if (model_of(word) != models.end()) continue;
      for (ServedModel& model : models) option.set(model, word);
    }
    for (const std::string& word : option.words) {
      const auto model = model_of(word);
      if (model != models.end()) option.set(*model, word.substr(word.find(':') + 1));
    }
  }
}

}  // namespace remotemedia::model_worker
