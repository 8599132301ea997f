// SPDX-License-Identifier: Apache-2.0
//
// Origin: which loader made a model, and with which arguments.

#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

namespace remotemedia::python {

/// Tells loaders apart by their code or name, and arguments by their plain values (numbers, text) and else by the names
/// of their types. So it keeps nothing alive that a loader or its arguments hold, and two closures of one code are the
/// same.
///
/// Threads:  with the GIL.
class Origin {
 public:
  /// `arguments`: a dict or None.
  Origin(nanobind::handle loader, nanobind::handle arguments);

  /// The same as *this == Origin(loader, arguments), quick where it is true of a function without arguments.
  bool is(nanobind::handle loader, nanobind::handle arguments) const;
  bool operator==(const Origin& other) const;

  /// Whether to warn of `other`: it differs, and nobody was warned of it yet.
  bool is_news(const Origin& other);

  /// The loader, as people know it.
  std::string description() const;

 private:
  nanobind::object loader_;          // a function's code, or the name of another callable
  const PyObject* class_ = nullptr;  // that was called, to know it at a glance; not kept
  nanobind::dict arguments_;         // by name; those that the loader was bound to, by position
  bool without_arguments_ = false;
  std::vector<Origin> told_of_;
};

}  // namespace remotemedia::python
