// SPDX-License-Identifier: Apache-2.0

#include "torch_protocol.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../gil_object.h"
#include "../method_call.h"
#include "data_type.h"
#include "dlpack_protocol.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

// What is asked of every tensor, looked up once.
struct Torch {
  nb::handle tensor_type;
  nb::handle strided;
  nb::handle requires_grad = interned("requires_grad");
  nb::handle layout = interned("layout");
  nb::handle is_conj = interned("is_conj");
  nb::handle is_neg = interned("is_neg");
  nb::handle is_cpu = interned("is_cpu");
  nb::handle dtype = interned("dtype");
  nb::handle data_ptr = interned("data_ptr");
  nb::handle untyped_storage = interned("untyped_storage");
  nb::handle shape = interned("shape");
  nb::handle stride = interned("stride");
  std::vector<std::pair<PyObject*, DataType>> dtypes;  // torch never lets one go

  explicit Torch(nb::handle module)
      : tensor_type(nb::object(module.attr("Tensor")).release()),
        strided(nb::object(module.attr("strided")).release()) {}

  static nb::handle interned(const char* name) { return PyUnicode_InternFromString(name); }
};

// nullptr while nobody has imported it.
Torch* torch() {
  static Torch* known = nullptr;
  if (known != nullptr) return known;
  const nb::object module = nb::module_::import_("sys").attr("modules").attr("get")("torch");
  if (!module.is_none()) known = std::make_unique<Torch>(module).release();
  return known;
}

bool is_tensor(const Torch* torch, nb::handle object) {
  return torch != nullptr &&
         (object.type().is(torch->tensor_type) || PyObject_IsInstance(object.ptr(), torch->tensor_type.ptr()) == 1);
}

bool is_true(nb::handle object) { return object.is(Py_True); }

void check_plain(const Torch& torch, nb::handle tensor) {
  const auto refuse = [](const char* what) { return Error(ErrorCode::invalid_tensor, what); };
  if (is_true(tensor.attr(torch.requires_grad))) {
    throw refuse("a tensor that requires grad, which would not be followed: tensor.detach()");
  }
  if (!tensor.attr(torch.layout).is(torch.strided)) throw refuse("a tensor that is not dense: tensor.to_dense()");
  if (is_true(call_method(torch.is_conj, tensor))) throw refuse("a tensor with the conj bit: tensor.resolve_conj()");
  if (is_true(call_method(torch.is_neg, tensor))) throw refuse("a tensor with the neg bit: tensor.resolve_neg()");
}

DataType dtype_of(Torch& torch, nb::handle tensor) {
  const nb::object dtype = tensor.attr(torch.dtype);
  for (const auto& [known, its_type] : torch.dtypes) {
    if (dtype.is(known)) return its_type;
  }
  const DataType its_type = data_type_of(dtype);
  torch.dtypes.emplace_back(dtype.inc_ref().ptr(), its_type);
  return its_type;
}

Device device_of(const Torch& torch, nb::handle tensor) {
  if (is_true(tensor.attr(torch.is_cpu))) return {};
  const std::string text = printed(tensor.attr("device"));
  const std::optional<Device> device = device_from_text(text);
  if (!device || device->type != DeviceType::cuda) {
    throw Error(ErrorCode::zero_copy_unavailable, "a tensor on device " + text + ": tensor.cpu() copies it");
  }
  // Whoever gets it from here may use another stream than the one that wrote it.
  nb::module_::import_("torch").attr("cuda").attr("current_stream")(tensor.attr("device")).attr("synchronize")();
  return *device;
}

// Whether torch would refuse the strides.
bool strides_are_negative(const TensorBuffer& tensor) {
  return std::ranges::any_of(tensor.strides(), [](std::int64_t stride) { return stride < 0; });
}

}  // namespace

TensorBuffer from_torch(nb::handle tensor, bool zero_copy) {
  Torch* const known = torch();
  if (!is_tensor(known, tensor)) {
    throw nb::type_error(("from_torch takes a torch.Tensor, not " + class_name(tensor)).c_str());
  }
  check_plain(*known, tensor);
  const DataType dtype = dtype_of(*known, tensor);
  const Device device = device_of(*known, tensor);
  auto* const data = reinterpret_cast<void*>(nb::cast<std::uintptr_t>(call_method(known->data_ptr, tensor)));
  // Not the tensor, which can be given other memory.
  auto owner = std::make_shared<const GilObject>(call_method(known->untyped_storage, tensor));
  const TensorBuffer view =
      TensorBuffer::from_foreign(data, dims_of(tensor.attr(known->shape)), dtype, std::move(owner), false,
                                 dims_of(call_method(known->stride, tensor)), device);
  return zero_copy ? view : view.copy();
}

nb::object to_torch(const TensorBuffer& tensor, nb::handle device, bool allow_readonly) {
  const nb::object from_dlpack = nb::module_::import_("torch").attr("from_dlpack");
  const bool read_only = tensor.read_only() && !allow_readonly;
  const bool clone = is_host(tensor.device().type) && (read_only || strides_are_negative(tensor));
  const TensorBuffer given = clone ? tensor.copy() : tensor;
  const nb::object capsule = given.read_only()
                                 ? dlpack_capsule(given, nb::none(), nb::make_tuple(1, 0), nb::none(), nb::none())
                                 : legacy_dlpack_capsule(given);
  nb::object made = from_dlpack(capsule);
  return device.is_none() ? made : made.attr("to")(device);
}

}  // namespace remotemedia::python
