// SPDX-License-Identifier: Apache-2.0

#include "model_error.h"

#include <nanobind/stl/string.h>

#include <string>

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

std::string joined(const nb::object& lines) {
  auto text = nb::cast<std::string>(nb::str("").attr("join")(lines));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

ModelError model_error(const nb::python_error& raised) {
  try {
    const nb::module_ traceback = nb::module_::import_("traceback");
    const nb::object all = traceback.attr("format_exception")(raised.type(), raised.value(), raised.traceback());
    const nb::object first = traceback.attr("format_exception_only")(raised.type(), raised.value());
    return ModelError(joined(first) + "\n\n" + joined(all));
  } catch (const nb::python_error&) {  // an exception that cannot be printed
    return ModelError(nb::cast<std::string>(nb::inst_name(raised.value())));
  } catch (const nb::builtin_exception&) {
    return ModelError("an exception whose text is no Unicode");
  }
}

}  // namespace remotemedia::python
