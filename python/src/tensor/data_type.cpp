// SPDX-License-Identifier: Apache-2.0

#include "data_type.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "../bindings.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

struct PyDataType {
  DataType dtype;
};

struct Spelling {
  DataType dtype;
  const char* format;
  const char* typestr;
};

constexpr std::array kSpellings{
    Spelling{DataType::boolean, "?", "|b1"},    Spelling{DataType::int8, "b", "|i1"},
    Spelling{DataType::int16, "h", "<i2"},      Spelling{DataType::int32, "i", "<i4"},
    Spelling{DataType::int64, "q", "<i8"},      Spelling{DataType::uint8, "B", "|u1"},
    Spelling{DataType::uint16, "H", "<u2"},     Spelling{DataType::uint32, "I", "<u4"},
    Spelling{DataType::uint64, "Q", "<u8"},     Spelling{DataType::float16, "e", "<f2"},
    Spelling{DataType::float32, "f", "<f4"},    Spelling{DataType::float64, "d", "<f8"},
    Spelling{DataType::complex64, "Zf", "<c8"}, Spelling{DataType::complex128, "Zd", "<c16"},
};

std::array<PyObject*, kDataTypes.size()> objects{};  // borrowed

const Spelling* spelling_of(DataType dtype) noexcept {
  const auto* const found = std::ranges::find(kSpellings, dtype, &Spelling::dtype);
  return found != kSpellings.end() ? found : nullptr;
}

Error refusal(const std::string& what) { return {ErrorCode::invalid_tensor, what}; }

// The attribute as text; empty where there is none, or another kind.
std::string text_attribute(nb::handle object, const char* name) {
  const nb::object value = nb::getattr(object, name, nb::none());
  return nb::isinstance<nb::str>(value) ? nb::cast<std::string>(value) : std::string();
}

std::optional<DataType> from_numpy_dtype(nb::handle dtype) {
  const std::string name = text_attribute(dtype, "name");
  const std::optional<DataType> known = data_type_from_name(name);
  if (!known || *known == DataType::bytes || text_attribute(dtype, "kind").empty()) return std::nullopt;
  if (!nb::cast<bool>(dtype.attr("isnative"))) {
    throw refusal("big-endian " + name + ": array.astype('" + name + "') has this machine's byte order");
  }
  return known;
}

std::string advice_for(const std::string& kind) {
  if (kind == "O") return ": objects that are bytes or str make a tensor of 'bytes'; array.astype() makes numbers";
  if (kind == "S" || kind == "U") return ": text makes a tensor of 'bytes'";
  if (kind == "M" || kind == "m") return ": array.view('int64') shares its numbers, and the unit travels beside them";
  if (kind == "V") return ": one tensor for each field, array['field']";
  return ": array.astype() to one of the types of remotemedia.DataType";
}

DataType from_any(nb::handle object) {
  static const nb::object numpy_dtype = nb::module_::import_("numpy").attr("dtype");
  nb::object dtype;
  try {
    dtype = numpy_dtype(object);
  } catch (nb::python_error&) {
    throw refusal("dtype " + nb::cast<std::string>(nb::repr(object)) +
                  " is unknown: a remotemedia.DataType, a dtype of NumPy or torch, or a name such as 'float32'");
  }
  if (const std::optional<DataType> known = from_numpy_dtype(dtype)) return *known;
  throw refusal("no tensor has the dtype " + printed(dtype) + advice_for(text_attribute(dtype, "kind")));
}

std::optional<DataType> from_torch_dtype(nb::handle object) {
  constexpr std::string_view kPrefix = "torch.";
  const std::string text = printed(object);
  return text.starts_with(kPrefix) ? data_type_from_name(std::string_view(text).substr(kPrefix.size())) : std::nullopt;
}

bool equals(const PyDataType& self, nb::handle other) {
  try {
    return data_type_of(other) == self.dtype;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string printed(nb::handle object) { return nb::cast<std::string>(nb::str(object)); }

std::string class_name(nb::handle object) { return nb::cast<std::string>(nb::inst_name(object)); }

DataType data_type_of(nb::handle object) {
  if (nb::isinstance<PyDataType>(object)) return nb::inst_ptr<PyDataType>(object)->dtype;
  if (PyUnicode_Check(object.ptr())) {
    if (const auto known = data_type_from_name(nb::cast<std::string>(object))) return *known;
    return from_any(object);
  }
  if (object.is_none()) throw refusal("dtype None: name one, such as 'float32'");
  if (const auto known = from_numpy_dtype(object)) return *known;
  if (const auto known = from_torch_dtype(object)) return *known;
  return from_any(object);
}

nb::object data_type_object(DataType dtype) { return nb::borrow(objects[static_cast<std::size_t>(dtype)]); }

void keep_data_type_objects(nb::handle type) {
  nb::list made;
  for (const DataTypeInfo& info : kDataTypes) {
    made.append(nb::cast(PyDataType{info.type}));
    objects[static_cast<std::size_t>(info.type)] = nb::handle(made[made.size() - 1]).ptr();
  }
  type.attr("_data_types") = nb::tuple(made);
}

const char* buffer_format(DataType dtype) noexcept {
  const Spelling* const spelling = spelling_of(dtype);
  return spelling != nullptr ? spelling->format : nullptr;
}

const char* array_typestr(DataType dtype) noexcept {
  const Spelling* const spelling = spelling_of(dtype);
  return spelling != nullptr ? spelling->typestr : "";
}

std::optional<DataType> data_type_from_format(const char* format, Py_ssize_t itemsize) noexcept {
  if (format == nullptr) return itemsize == 1 ? std::optional(DataType::uint8) : std::nullopt;
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  const std::string_view letters(format);
  const auto integer = [&](DataType smallest) -> std::optional<DataType> {
    if (itemsize != 1 && itemsize != 2 && itemsize != 4 && itemsize != 8) return std::nullopt;
    const int width = itemsize == 1 ? 0 : itemsize == 2 ? 1 : itemsize == 4 ? 2 : 3;
    return static_cast<DataType>(static_cast<int>(smallest) + width);
  };
  if (letters.size() == 1 && std::strchr("bhilqn", letters[0]) != nullptr) return integer(DataType::int8);
  if (letters.size() == 1 && std::strchr("BHILQNc", letters[0]) != nullptr) return integer(DataType::uint8);
  for (const Spelling& spelling : kSpellings) {
    if (letters == spelling.format && itemsize == static_cast<Py_ssize_t>(remotemedia::itemsize(spelling.dtype))) {
      return spelling.dtype;
    }
  }
  return std::nullopt;
}

void bind_data_type(nb::module_& m) {
  nb::class_<PyDataType>(
      m, "DataType",
      "What the elements of a tensor are. Equal to whatever means the same: `tensor.dtype == 'float32'`.\n\n"
      "Args:\n"
      "    name: A name ('float32', 'f32', 'bfloat16'), a dtype of NumPy or torch, or another DataType.\n\n"
      "Raises:\n"
      "    InvalidTensor: No tensor has such elements; the message says what to do.")
      .def(
          "__init__", [](PyDataType* self, nb::handle name) { new (self) PyDataType{data_type_of(name)}; },
          nb::arg("name").none(), nb::sig("def __init__(self, name: typing.Any) -> None"))
      .def_prop_ro(
          "name", [](const PyDataType& self) { return std::string(to_string(self.dtype)); },
          "As NumPy has it; for those that it has not, as ml_dtypes and torch have it.")
      .def_prop_ro(
          "itemsize", [](const PyDataType& self) { return itemsize(self.dtype); },
          "Bytes of one element; 0 for bytes, which may have any length.")
      .def("__eq__", &equals, nb::arg("other").none(), nb::sig("def __eq__(self, other: object) -> bool"))
      .def("__hash__", [](const PyDataType& self) { return nb::hash(nb::str(to_string(self.dtype).data())); })
      .def("__str__", [](const PyDataType& self) { return std::string(to_string(self.dtype)); })
      .def("__repr__", [](const PyDataType& self) { return "DataType('" + std::string(to_string(self.dtype)) + "')"; })
      .def(
          "__reduce__",
          [](nb::handle_t<PyDataType> self) { return nb::make_tuple(self.type(), nb::make_tuple(self.attr("name"))); },
          nb::sig("def __reduce__(self) -> tuple[type[DataType], tuple[str]]"));
}

}  // namespace remotemedia::python
