// SPDX-License-Identifier: Apache-2.0
//
// registry_hits KIND COUNT: loads one model and hits it COUNT times, for programs that count what a hit does
// (valgrind --tool=callgrind, strace): run it with two counts and divide the difference.

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "models.h"

namespace {

using namespace remotemedia;

template <class Hit>
std::uint64_t repeat(long count, Hit hit) {
  std::uint64_t sum = 0;
  for (long i = 0; i < count; ++i) sum += hit();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  using bench::load_model;
  using bench::Model;
  const std::string_view kind = argc == 3 ? argv[1] : "";
  const long count = argc == 3 ? std::atol(argv[2]) : 0;

  ModelRegistry registry(bench::long_ttl());
  const std::string text = bench::key_text(0);
  const ModelKey key(text);
  const auto kept = registry.get_or_load<Model>(key, load_model);
  const LoadOptions label{.holder = "bench"};

  std::uint64_t sum = 0;
  if (kind == "model_key") {
    sum = repeat(count, [&] { return registry.get_or_load<Model>(key, load_model)->value; });
  } else if (kind == "string") {
    sum = repeat(count, [&] { return registry.get_or_load<Model>(text, load_model)->value; });
  } else if (kind == "handle_copy") {
    sum = repeat(count, [&] { return ModelHandle<Model>(kept)->value; });
  } else if (kind == "model_key_with_label") {
    sum = repeat(count, [&] { return registry.get_or_load<Model>(key, load_model, label)->value; });
  } else {
    std::cerr << "usage: registry_hits model_key|string|handle_copy|model_key_with_label COUNT\n";
    return 2;
  }
  return sum == 0 ? 0 : 1;
}
