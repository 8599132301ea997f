// SPDX-License-Identifier: Apache-2.0
//
// ExitList: what must be over before the interpreter goes, because its threads may run Python.

#pragma once

#include <functional>

namespace remotemedia::python {

/// Earlier ones first: a model that waits for a call comes back, then its worker ends, then its registry lets it go.
enum class ExitTurn { calls, workers, models };

/// A place on the list, until it is destroyed. With the GIL.
class ExitPlace {
 public:
  /// close: called from any thread without the GIL, also when it has been called before. Must not throw, and keeps what
  /// it needs.
  ///
  /// Errors:  cancelled if the interpreter exits.
  ExitPlace(ExitTurn turn, std::function<void()> close);
  ExitPlace(const ExitPlace&) = delete;
  ExitPlace& operator=(const ExitPlace&) = delete;
  ~ExitPlace();

  ExitTurn turn() const noexcept { return turn_; }
  const std::function<void()>& close() const noexcept { return close_; }

 private:
  ExitTurn turn_;
  std::function<void()> close_;
};

/// Calls them all. From here on no place can be had.
void close_all_at_exit();

}  // namespace remotemedia::python
