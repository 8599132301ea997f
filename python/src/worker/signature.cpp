// SPDX-License-Identifier: Apache-2.0
//
// TensorSpec and ModelSignature.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "../tensor/data_type.h"
#include "../tensor/py_tensor.h"
#include "remotemedia/worker/model_signature.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

std::string description(const TensorSpec& spec) {
  return "TensorSpec(" + nb::cast<std::string>(nb::repr(nb::cast(spec.name))) + ", '" +
         std::string(to_string(spec.dtype)) + "', " + nb::cast<std::string>(nb::repr(nb::list(tuple_of(spec.shape)))) +
         ")";
}

std::string description(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "" : ", ") + description(spec);
  return "[" + text + "]";
}

std::string description(const ModelSignature& signature) {
  return "ModelSignature(" + description(signature.inputs) + ", " + description(signature.outputs) +
         ", max_batch_size=" + std::to_string(signature.max_batch_size) +
         (signature.stateful ? ", stateful=True)" : ")");
}

template <class Value>
bool equals(const Value& self, nb::handle other) {
  return nb::isinstance<Value>(other) && *nb::inst_ptr<Value>(other) == self;
}

}  // namespace

void bind_model_signature(nb::module_& m) {
  nb::class_<TensorSpec>(m, "TensorSpec",
                         "One tensor of a model, by name.\n\n"
                         "Args:\n"
                         "    name: What callers and the model call it.\n"
                         "    dtype: A DataType, a dtype of NumPy or torch, or a name.\n"
                         "    shape: Extents; -1 may be any. Without the batch where the model batches.")
      .def(
          "__init__",
          [](TensorSpec* self, std::string name, nb::handle dtype, nb::handle shape) {
            new (self) TensorSpec{std::move(name), data_type_of(dtype), dims_of(shape)};
          },
          "name"_a, "dtype"_a.none(), "shape"_a,
          nb::sig("def __init__(self, name: str, dtype: typing.Any, shape: collections.abc.Sequence[int]) -> None"))
      .def_ro("name", &TensorSpec::name)
      .def_prop_ro(
          "dtype", [](const TensorSpec& spec) { return data_type_object(spec.dtype); },
          nb::sig("def dtype(self) -> DataType"))
      .def_prop_ro(
          "shape", [](const TensorSpec& spec) { return tuple_of(spec.shape); },
          nb::sig("def shape(self) -> tuple[int, ...]"))
      .def("__eq__", &equals<TensorSpec>, "other"_a.none(), nb::sig("def __eq__(self, other: object) -> bool"))
      .def("__hash__", [](const TensorSpec& spec) { return nb::hash(nb::str(spec.name.c_str(), spec.name.size())); })
      .def("__repr__", [](const TensorSpec& spec) { return description(spec); });

  nb::class_<ModelSignature>(
      m, "ModelSignature",
      "What a model takes and gives. One that declares neither takes what it is given, unchecked.\n\n"
      "Args:\n"
      "    inputs: Every one of them.\n"
      "    outputs: Likewise.\n"
      "    max_batch_size: Rows that one call may have. Above 0 every tensor has one more dimension in front, the\n"
      "        batch, and calls of several callers run together; 0: each call runs alone.\n"
      "    stateful: It keeps something for each session.")
      .def(
          "__init__",
          [](ModelSignature* self, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
             std::int64_t max_batch_size, bool stateful) {
            new (self) ModelSignature{std::move(inputs), std::move(outputs), max_batch_size, stateful};
          },
          "inputs"_a, "outputs"_a, nb::kw_only(), "max_batch_size"_a = 0, "stateful"_a = false,
          nb::sig("def __init__(self, inputs: collections.abc.Sequence[TensorSpec], outputs: "
                  "collections.abc.Sequence[TensorSpec], *, max_batch_size: int = 0, stateful: bool = False) -> None"))
      .def_ro("inputs", &ModelSignature::inputs)
      .def_ro("outputs", &ModelSignature::outputs)
      .def_ro("max_batch_size", &ModelSignature::max_batch_size)
      .def_ro("stateful", &ModelSignature::stateful)
      .def("__eq__", &equals<ModelSignature>, "other"_a.none(), nb::sig("def __eq__(self, other: object) -> bool"))
      .def("__hash__",
           [](const ModelSignature& signature) { return nb::hash(nb::str(description(signature).c_str())); })
      .def("__repr__", [](const ModelSignature& signature) { return description(signature); });
}

}  // namespace remotemedia::python
