// SPDX-License-Identifier: Apache-2.0
//
// Who asks: the Python function that is calling into C++, as a label for its hold.

#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>

namespace remotemedia::python {

/// "file.py:function" of a code object. With the GIL.
std::string code_label(nanobind::handle code);

using Label = std::shared_ptr<const std::string>;

/// The same of whoever calls, made once for each function. With the GIL.
Label caller_label();

}  // namespace remotemedia::python
