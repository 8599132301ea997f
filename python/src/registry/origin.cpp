// SPDX-License-Identifier: Apache-2.0

#include "origin.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <utility>

#include "caller_label.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

/// Beyond these nobody is warned: a program that makes loaders without end would be warned without end.
constexpr std::size_t kMostToldOf = 16;

// By name: an origin that kept classes would keep the modules that they were written in.
nb::object name_of(nb::handle type) {
  return nb::object(type.attr("__module__")) + nb::str(".") + nb::object(type.attr("__qualname__"));
}

nb::object plain(nb::handle value) {
  PyObject* const it = value.ptr();
  const bool is_plain = value.is_none() || PyUnicode_CheckExact(it) || PyLong_CheckExact(it) ||
                        PyFloat_CheckExact(it) || PyBytes_CheckExact(it) || PyBool_Check(it);
  if (is_plain) return nb::borrow(value);
  return name_of(PyType_Check(it) ? value : value.type());
}

bool is_partial(nb::handle loader) {
  static const nb::handle type = nb::object(nb::module_::import_("functools").attr("partial")).release();
  return nb::isinstance(loader, type);
}

bool has_code(nb::handle function, nb::handle code) {
#ifndef Py_LIMITED_API
  if (PyFunction_Check(function.ptr())) return PyFunction_GET_CODE(function.ptr()) == code.ptr();
#endif
  static PyObject* const name = PyUnicode_InternFromString("__code__");
  PyObject* const its_code = PyObject_GetAttr(function.ptr(), name);
  if (its_code == nullptr) PyErr_Clear();
  Py_XDECREF(its_code);
  return its_code == code.ptr();
}

}  // namespace

Origin::Origin(nb::handle loader, nb::handle arguments) {
  nb::object unbound = nb::borrow(loader);
  int position = 0;
  while (is_partial(unbound)) {
    for (nb::handle value : unbound.attr("args")) arguments_[nb::int_(position++)] = plain(value);
    for (auto [name, value] : nb::cast<nb::dict>(unbound.attr("keywords"))) {
      if (!arguments_.contains(name)) arguments_[name] = plain(value);
    }
    unbound = unbound.attr("func");
  }
  if (!PyType_Check(unbound.ptr()) && nb::hasattr(unbound, "__func__") && nb::hasattr(unbound, "__self__")) {
    arguments_[nb::int_(-1)] = plain(unbound.attr("__self__"));
    unbound = unbound.attr("__func__");
  }
  if (!arguments.is_none()) {
    for (auto [name, value] : nb::borrow<nb::dict>(arguments)) arguments_[name] = plain(value);
  }
  without_arguments_ = arguments_.empty();
  if (PyType_Check(unbound.ptr())) {
    class_ = unbound.ptr();
    loader_ = name_of(unbound);
  } else if (nb::hasattr(unbound, "__code__")) {
    loader_ = unbound.attr("__code__");
  } else {
    loader_ = nb::str(nb::getattr(unbound, "__qualname__", unbound.type().attr("__qualname__")));
  }
}

bool Origin::is(nb::handle loader, nb::handle arguments) const {
  const bool none_given = arguments.is_none() || nb::borrow<nb::dict>(arguments).empty();
  const bool same = none_given && without_arguments_ && (loader.ptr() == class_ || has_code(loader, loader_));
  return same || *this == Origin(loader, arguments);
}

bool Origin::operator==(const Origin& other) const {
  return loader_.equal(other.loader_) && arguments_.equal(other.arguments_);
}

bool Origin::is_news(const Origin& other) {
  if (*this == other || told_of_.size() == kMostToldOf || std::ranges::find(told_of_, other) != told_of_.end()) {
    return false;
  }
  told_of_.push_back(other);
  return true;
}

std::string Origin::description() const {
  return nb::isinstance<nb::str>(loader_) ? nb::cast<std::string>(loader_) : code_label(loader_);
}

}  // namespace remotemedia::python
