// SPDX-License-Identifier: Apache-2.0
//
// Data types as Python, NumPy, torch and the buffer protocol write them.

#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>

#include "remotemedia/tensor/data_type.h"

namespace remotemedia::python {

/// What any of them means: a DataType, a name, a NumPy dtype or scalar type, a torch dtype.
///
/// Errors:  invalid_tensor that names what to do, also for big-endian and other types that no tensor has.
DataType data_type_of(nanobind::handle dtype);

/// As Python's str() has it.
std::string printed(nanobind::handle object);

/// Of an object, without its module.
std::string class_name(nanobind::handle object);

/// The object that stands for `dtype`: always the same one, while the type of tensors lives.
nanobind::object data_type_object(DataType dtype);

/// Makes these objects, kept by the type of tensors.
void keep_data_type_objects(nanobind::handle type);

/// Of the buffer protocol; nullptr where it has no word for it.
const char* buffer_format(DataType dtype) noexcept;

/// Native and little-endian formats of one element; nothing for any other.
std::optional<DataType> data_type_from_format(const char* format, Py_ssize_t itemsize) noexcept;

/// "<f4"; empty where `__array_interface__` has no word for it.
const char* array_typestr(DataType dtype) noexcept;

}  // namespace remotemedia::python
