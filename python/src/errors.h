// SPDX-License-Identifier: Apache-2.0
//
// Errors of C++ as Python's exceptions, for slots, which nanobind does not wrap.

#pragma once

#include "remotemedia/base/error.h"

namespace remotemedia::python {

/// Raises it. With the GIL.
void set_python_error(const Error& error) noexcept;

}  // namespace remotemedia::python
