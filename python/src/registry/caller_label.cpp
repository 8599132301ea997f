// SPDX-License-Identifier: Apache-2.0

#include "caller_label.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <unordered_map>

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

/// Programs that make functions without end have labels made anew beyond this many.
constexpr std::size_t kMostFunctions = 4096;

// nullptr for a function of the package's own machinery: whoever called it is meant.
Label describe(nb::handle code) {
  static const nb::handle machinery =
      nb::object(nb::module_::import_("remotemedia.core").attr("__path__")[0] + nb::str("/")).release();
  if (nb::cast<bool>(code.attr("co_filename").attr("startswith")(machinery))) return nullptr;
  return std::make_shared<const std::string>(code_label(code));
}

struct Labels {
  std::unordered_map<PyObject*, std::shared_ptr<const std::string>> by_code;

  // Code objects are kept, so that an address stays one function's.
  Label of(nb::object code) {
    if (const auto found = by_code.find(code.ptr()); found != by_code.end()) return found->second;
    auto label = describe(code);
    if (by_code.size() < kMostFunctions) by_code.emplace(code.release().ptr(), label);
    return label;
  }
};

}  // namespace

std::string code_label(nb::handle code) {
  const auto file = nb::cast<std::string>(code.attr("co_filename"));
  const char* const name = nb::hasattr(code, "co_qualname") ? "co_qualname" : "co_name";
  return file.substr(file.find_last_of("/\\") + 1) + ":" + nb::cast<std::string>(code.attr(name));
}

Label caller_label() {
  static const auto nobody = std::make_shared<const std::string>("(unnamed)");
  static auto& labels = *new Labels;  // never destroyed: it holds Python objects
  PyFrameObject* const innermost = PyEval_GetFrame();
  if (innermost == nullptr) return nobody;
  auto label = labels.of(nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(innermost))));
  if (label != nullptr) [[likely]]
    return label;
  nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(innermost));
  while (label == nullptr) {
    frame = frame.attr("f_back");
    label = frame.is_none() ? nobody : labels.of(frame.attr("f_code"));
  }
  return label;
}

}  // namespace remotemedia::python
