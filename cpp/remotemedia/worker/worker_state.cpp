// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_state.h"

#include <algorithm>
#include <array>
#include <utility>

namespace remotemedia {

std::string_view to_string(WorkerState state) noexcept {
  switch (state) {
    case WorkerState::starting:
      return "starting";
    case WorkerState::ready:
      return "ready";
    case WorkerState::busy:
      return "busy";
    case WorkerState::stopping:
      return "stopping";
    case WorkerState::terminated:
      return "terminated";
  }
  return "unknown";
}

bool is_legal_transition(WorkerState from, WorkerState to) noexcept {
  using enum WorkerState;
  static constexpr std::array<std::pair<WorkerState, WorkerState>, 7> kLegal{{
      {starting, ready},
      {starting, terminated},  // the warm-up failed, or it was stopped
      {ready, busy},
      {busy, ready},
      {ready, stopping},
      {busy, stopping},
      {stopping, terminated},
  }};
  return std::ranges::find(kLegal, std::pair(from, to)) != kLegal.end();
}

}  // namespace remotemedia
