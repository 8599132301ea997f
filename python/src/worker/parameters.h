// SPDX-License-Identifier: Apache-2.0
//
// Parameters as a mapping of Python.

#pragma once

#include <nanobind/nanobind.h>

#include "remotemedia/worker/parameters.h"

namespace remotemedia::python {

/// None is none.
///
/// Errors:  TypeError for a name that is no str or a value that is no str, int, float or bool; invalid_argument for an
///          int of more than 64 bits.
Parameters parameters_of(nanobind::handle mapping);

/// That nobody can change.
nanobind::object mapping_of(const Parameters& parameters);

}  // namespace remotemedia::python
