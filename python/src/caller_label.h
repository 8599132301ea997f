// SPDX-License-Identifier: Apache-2.0
//
// Who asks: the Python function that is calling into C++, as a label for its hold.

#pragma once

#include <memory>
#include <string>

namespace remotemedia::python {

/// "file.py:function", made once for each function. With the GIL.
std::shared_ptr<const std::string> caller_label();

}  // namespace remotemedia::python
