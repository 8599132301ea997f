// SPDX-License-Identifier: Apache-2.0

#include "torch_protocol.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../gil_object.h"
#include "data_type.h"
#include "dlpack_protocol.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

bool is_torch_tensor(nb::handle object) {
  const nb::object modules = nb::module_::import_("sys").attr("modules");
  const nb::object torch = modules.attr("get")("torch");
  return !torch.is_none() && PyObject_IsInstance(object.ptr(), nb::object(torch.attr("Tensor")).ptr()) == 1;
}

bool says(nb::handle tensor, const char* question) { return nb::cast<bool>(tensor.attr(question)()); }

void check_plain(nb::handle tensor) {
  const auto refuse = [](const char* what) { return Error(ErrorCode::invalid_tensor, what); };
  if (nb::cast<bool>(tensor.attr("requires_grad"))) {
    throw refuse("a tensor that requires grad, which would not be followed: tensor.detach()");
  }
  if (nb::cast<std::string>(nb::str(tensor.attr("layout"))) != "torch.strided") {
    throw refuse("a tensor that is not dense: tensor.to_dense()");
  }
  if (says(tensor, "is_conj")) throw refuse("a tensor with the conj bit: tensor.resolve_conj()");
  if (says(tensor, "is_neg")) throw refuse("a tensor with the neg bit: tensor.resolve_neg()");
}

Device device_of(nb::handle tensor) {
  if (nb::cast<bool>(tensor.attr("is_cpu"))) return {};
  const std::string text = nb::cast<std::string>(nb::str(tensor.attr("device")));
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
  if (!is_torch_tensor(tensor)) {
    throw nb::type_error(
        ("from_torch takes a torch.Tensor, not " + nb::cast<std::string>(nb::inst_name(tensor))).c_str());
  }
  check_plain(tensor);
  const DataType dtype = data_type_of(tensor.attr("dtype"));
  const Device device = device_of(tensor);
  auto* const data = reinterpret_cast<void*>(nb::cast<std::uintptr_t>(tensor.attr("data_ptr")()));
  // Not the tensor, which can be given other memory.
  auto owner = std::make_shared<const GilObject>(nb::object(tensor.attr("untyped_storage")()));
  const TensorBuffer view = TensorBuffer::from_foreign(data, dims_of(tensor.attr("shape")), dtype, std::move(owner),
                                                       false, dims_of(tensor.attr("stride")()), device);
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
