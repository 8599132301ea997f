// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_state.h"

#include <array>
#include <utility>

namespace remotemedia {

std::string_view to_string(ModelState state) noexcept {
  switch (state) {
    case ModelState::absent:
      return "absent";
    case ModelState::loading:
      return "loading";
    case ModelState::ready:
      return "ready";
    case ModelState::evicting:
      return "evicting";
    case ModelState::failed:
      return "failed";
  }
  return "unknown";
}

bool is_legal_transition(ModelState from, ModelState to) noexcept {
  using enum ModelState;
  static constexpr std::array<std::pair<ModelState, ModelState>, 8> kLegal{{
      {absent, loading},
      {loading, ready},
      {loading, absent},  // failed, refused or abandoned
      {loading, failed},
      {ready, evicting},
      {evicting, absent},
      {failed, loading},
      {failed, absent},
  }};
  for (const auto& [legal_from, legal_to] : kLegal) {
    if (legal_from == from && legal_to == to) return true;
  }
  return false;
}

}  // namespace remotemedia
