// SPDX-License-Identifier: Apache-2.0
//
// SharedMemoryRegion and TensorCapabilities.

#include "remotemedia/memory/shared_memory_region.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "../bindings.h"
#include "../gil.h"
#include "../seconds.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"
#include "remotemedia/tensor/tensor_capabilities.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

SharedMemoryRegion create(std::int64_t size, bool writable) {
  if (size < 1) throw Error(ErrorCode::invalid_argument, "a region has at least 1 byte, not " + std::to_string(size));
  const NoGil others_go_on;
  return SharedMemoryRegion::create(static_cast<std::size_t>(size), {.writable = writable});
}

SharedMemoryRegion open(const std::string& id, bool writable, double timeout) {
  const Duration limit = duration_of("timeout", timeout);
  const NoGil others_go_on;
  return SharedMemoryRegion::open(id, {.writable = writable, .timeout = limit});
}

nb::object view(const SharedMemoryRegion& self, std::int64_t offset, std::optional<std::int64_t> length) {
  const MemoryBlock block = self.block();
  const auto size = static_cast<std::int64_t>(block.size());
  if (offset < 0 || offset > size || length.value_or(0) < 0 || length.value_or(0) > size - offset) {
    throw Error(ErrorCode::invalid_argument, "a view at byte " + std::to_string(offset) +
                                                 (length ? " of " + std::to_string(*length) + " bytes" : "") +
                                                 " reaches beyond the region's " + std::to_string(size) + " bytes");
  }
  const TensorLayout bytes = row_major({length.value_or(size - offset)}, DataType::uint8);
  const nb::object tensor = tensor_object(TensorBuffer::view_of(block, static_cast<std::size_t>(offset), bytes));
  nb::object made = nb::steal(PyMemoryView_FromObject(tensor.ptr()));
  if (!made.is_valid()) throw nb::python_error();
  return made;
}

nb::object reason(const std::string& why_not) {
  return why_not.empty() ? nb::none() : nb::object(nb::str(why_not.c_str()));
}

}  // namespace

void bind_shared_memory_region(nb::module_& m) {
  nb::class_<SharedMemoryRegion>(m, "SharedMemoryRegion", nb::is_weak_referenceable(),
                                 "Raw shared bytes with an id. Nothing is left behind when the last process that has "
                                 "it dies.")
      .def_static("create", &create, "size"_a, nb::kw_only(), "writable"_a = false,
                  "`size` bytes of zeros, writable here; with writable=True others may open it for writing too.\n\n"
                  "Raises:\n"
                  "    ValueError: size is less than 1.\n"
                  "    OutOfMemory, SharedMemoryUnavailable: The system refuses.")
      .def_static("open", &open, "id"_a, nb::kw_only(), "writable"_a = false, "timeout"_a = 5.0,
                  "What a process of this user has created.\n\n"
                  "Raises:\n"
                  "    SharedMemoryUnavailable: There is none, or it refuses, also to let write.\n"
                  "    DeadlineExceeded: The creator does not answer.")
      .def("view", &view, "offset"_a = 0, "length"_a.none() = nb::none(),
           "The bytes, or part of them. A view outlives close() and the region.\n\n"
           "Raises:\n"
           "    ValueError: They are not all there, or the region is closed.",
           nb::sig("def view(self, offset: int = 0, length: int | None = None) -> memoryview"))
      .def("close", &SharedMemoryRegion::close, nb::call_guard<NoGil>(),
           "Ends the id and lets the memory go when no view of it lives. Twice is once.")
      .def(
          "__enter__", [](nb::handle_t<SharedMemoryRegion> self) { return nb::borrow(self); },
          nb::sig("def __enter__(self) -> SharedMemoryRegion"))
      .def(
          "__exit__",
          [](SharedMemoryRegion& self, const nb::args&) {
            const NoGil others_go_on;
            self.close();
          },
          nb::sig("def __exit__(self, *error: object) -> None"))
      .def_prop_ro("id", &SharedMemoryRegion::id, "For another process of this user.")
      .def_prop_ro("size", &SharedMemoryRegion::size, "As asked for; 0 once closed.")
      .def_prop_ro("read_only", &SharedMemoryRegion::read_only)
      .def("__repr__", [](const SharedMemoryRegion& self) {
        return "SharedMemoryRegion(size=" + std::to_string(self.size()) + (self.read_only() ? ", read-only)" : ")");
      });
}

void bind_tensor_capabilities(nb::module_& m) {
  nb::class_<TensorCapabilities>(m, "TensorCapabilities",
                                 "What tensors can do on this machine, tried out and not guessed.")
      .def_static("detect", &TensorCapabilities::detect, nb::call_guard<NoGil>())
      .def_ro("shared_memory", &TensorCapabilities::shared_memory)
      .def_prop_ro(
          "shared_memory_reason", [](const TensorCapabilities& self) { return reason(self.shared_memory_reason); },
          "Why not.", nb::sig("def shared_memory_reason(self) -> str | None"))
      .def_ro("seals", &TensorCapabilities::seals, "The system itself forbids new writers of shared memory.")
      .def_ro("huge_pages", &TensorCapabilities::huge_pages, "Shared memory got some.")
      .def_ro("cuda", &TensorCapabilities::cuda, "The driver's library can be loaded.")
      .def_prop_ro(
          "cuda_reason", [](const TensorCapabilities& self) { return reason(self.cuda_reason); }, "Why not.",
          nb::sig("def cuda_reason(self) -> str | None"))
      .def_ro("metal", &TensorCapabilities::metal)
      .def_ro("dlpack", &TensorCapabilities::dlpack);
}

}  // namespace remotemedia::python
