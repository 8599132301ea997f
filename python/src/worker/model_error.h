// SPDX-License-Identifier: Apache-2.0
//
// ModelError: what a model in Python raised, as the text that travels to its callers.

#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>

namespace remotemedia::python {

class ModelError final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "ValueError: not a number" and, below, the traceback as Python prints it. With the GIL.
ModelError model_error(const nanobind::python_error& raised);

/// What `call` returns; what it raises is thrown as a ModelError. With the GIL.
template <class Call>
auto asked(const Call& call) {
  try {
    return call();
  } catch (const nanobind::python_error& raised) {
    throw model_error(raised);
  }
}

}  // namespace remotemedia::python
