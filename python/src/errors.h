// SPDX-License-Identifier: Apache-2.0
//
// Errors of C++ as Python's exceptions, where nanobind does not translate them.

#pragma once

#include <nanobind/nanobind.h>

#include <exception>

#include "remotemedia/base/error.h"

namespace remotemedia::python {

/// Raises it. With the GIL.
void set_python_error(const Error& error) noexcept;

/// The exception object that it would be raised as. With the GIL.
nanobind::object exception_object(const std::exception_ptr& error);

}  // namespace remotemedia::python
