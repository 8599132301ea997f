// SPDX-License-Identifier: Apache-2.0
//
// Methods by interned name, for calls that are counted in nanoseconds: no text is made and no bound method.

#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <cstddef>

namespace remotemedia::python {

/// What self.name(*arguments) gives; with `keywords`, a tuple of names, the last arguments have these.
///
/// Errors:  what the method raises.
template <class... Arguments>
nanobind::object call_method(nanobind::handle keywords, nanobind::handle name, nanobind::handle self,
                             const Arguments&... arguments) {
  const std::array<PyObject*, 1 + sizeof...(Arguments)> all{self.ptr(), nanobind::handle(arguments).ptr()...};
  const auto named = keywords.is_valid() ? static_cast<std::size_t>(PyTuple_Size(keywords.ptr())) : 0;
  nanobind::object result =
      nanobind::steal(PyObject_VectorcallMethod(name.ptr(), all.data(), all.size() - named, keywords.ptr()));
  if (!result.is_valid()) throw nanobind::python_error();
  return result;
}

/// Likewise, without arguments.
inline nanobind::object call_method(nanobind::handle name, nanobind::handle self) {
  return call_method(nanobind::handle(), name, self);
}

}  // namespace remotemedia::python
