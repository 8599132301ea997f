// SPDX-License-Identifier: Apache-2.0

#include "origin.h"

#include <algorithm>
#include <utility>

#include "caller_label.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

/// Beyond these nobody is warned: a program that makes loaders without end would be warned without end.
constexpr std::size_t kMostToldOf = 16;

nb::object plain(nb::handle value) {
  PyObject* const it = value.ptr();
  const bool is_plain = value.is_none() || PyUnicode_CheckExact(it) || PyLong_CheckExact(it) ||
                        PyFloat_CheckExact(it) || PyBytes_CheckExact(it) || PyBool_Check(it) || PyType_Check(it);
  return nb::borrow(is_plain ? value : value.type());
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

bool equal(nb::handle a, nb::handle b) {
  const int same = PyObject_RichCompareBool(a.ptr(), b.ptr(), Py_EQ);
  if (same < 0) PyErr_Clear();  // a class whose metaclass compares in its own way
  return same == 1;
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
    loader_ = std::move(unbound);
  } else if (nb::hasattr(unbound, "__code__")) {
    loader_ = unbound.attr("__code__");
  } else {
    loader_ = nb::str(nb::getattr(unbound, "__qualname__", unbound.type().attr("__qualname__")));
  }
}

bool Origin::is(nb::handle loader, nb::handle arguments) const {
  const bool none_given = arguments.is_none() || nb::borrow<nb::dict>(arguments).empty();
  const bool same = none_given && without_arguments_ && (loader.is(loader_) || has_code(loader, loader_));
  return same || *this == Origin(loader, arguments);
}

bool Origin::operator==(const Origin& other) const {
  return equal(loader_, other.loader_) && equal(arguments_, other.arguments_);
}

bool Origin::is_news(const Origin& other) {
  if (*this == other || told_of_.size() == kMostToldOf || std::ranges::find(told_of_, other) != told_of_.end()) {
    return false;
  }
  told_of_.push_back(other);
  return true;
}

int Origin::visit_all(visitproc visit, void* arg) const noexcept {
  Py_VISIT(loader_.ptr());
  Py_VISIT(arguments_.ptr());
  for (const Origin& other : told_of_) {
    if (const int result = other.visit_all(visit, arg)) return result;
  }
  return 0;
}

int Origin::traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  return nb::inst_ready(self) ? nb::inst_ptr<Origin>(self)->visit_all(visit, arg) : 0;
}

int Origin::clear(PyObject* self) noexcept {
  Origin& origin = *nb::inst_ptr<Origin>(self);
  origin.loader_ = nb::none();
  origin.arguments_ = nb::dict();
  origin.told_of_.clear();
  return 0;
}

std::string Origin::description() const {
  if (nb::isinstance<nb::str>(loader_)) return nb::cast<std::string>(loader_);
  if (PyType_Check(loader_.ptr())) return nb::cast<std::string>(nb::str(loader_.attr("__qualname__")));
  return code_label(loader_);
}

}  // namespace remotemedia::python
