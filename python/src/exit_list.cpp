// SPDX-License-Identifier: Apache-2.0

#include "exit_list.h"

#include <utility>
#include <vector>

#include "gil.h"
#include "remotemedia/base/error.h"

namespace remotemedia::python {
namespace {

std::vector<const ExitPlace*>& places() {
  static auto& list = *new std::vector<const ExitPlace*>;
  return list;
}

}  // namespace

ExitPlace::ExitPlace(ExitTurn turn, std::function<void()> close) : turn_(turn), close_(std::move(close)) {
  if (interpreter_exits()) throw Error(ErrorCode::cancelled, "the interpreter exits: nothing new can be made any more");
  places().push_back(this);
}

ExitPlace::~ExitPlace() { std::erase(places(), this); }

void close_all_at_exit() {
  begin_exit();
  for (const ExitTurn turn : {ExitTurn::calls, ExitTurn::workers, ExitTurn::models}) {
    std::vector<std::function<void()>> closes;
    for (const ExitPlace* place : places()) {
      if (place->turn() == turn) closes.push_back(place->close());
    }
    const NoGil others_go_on;
    for (const auto& close : closes) close();
    closes.clear();
  }
}

}  // namespace remotemedia::python
