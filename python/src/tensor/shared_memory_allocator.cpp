// SPDX-License-Identifier: Apache-2.0
//
// SharedMemoryAllocator. Whatever may ask the system for memory or wait for a thread does so without the GIL.

#include "remotemedia/memory/shared_memory_allocator.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../bindings.h"
#include "../gil.h"
#include "../seconds.h"
#include "data_type.h"
#include "py_tensor.h"
#include "remotemedia/base/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace remotemedia::python {
namespace {

// What remotemedia/core/tensor_bridge.py has checked.
AllocatorConfig make_config(std::optional<std::size_t> max_memory_bytes,
                            std::optional<std::size_t> per_session_quota_bytes, std::optional<double> lease_ttl_seconds,
                            double cleanup_interval_seconds, bool heap_fallback) {
  AllocatorConfig config;
  config.max_memory_bytes = max_memory_bytes;
  config.per_session_quota_bytes = per_session_quota_bytes;
  if (lease_ttl_seconds) config.lease_ttl = duration_of("lease_ttl_seconds", *lease_ttl_seconds);
  config.cleanup_interval = duration_of("cleanup_interval_seconds", cleanup_interval_seconds);
  config.heap_fallback = heap_fallback;
  return config;
}

PyTensor allocate_tensor(SharedMemoryAllocator& self, nb::handle shape, nb::handle dtype,
                         const std::optional<std::string>& session_id) {
  const Dims extents = dims_of(shape);
  const DataType type = data_type_of(dtype);
  const NoGil others_go_on;
  return PyTensor(TensorBuffer::allocate(extents, type, self, session_id.value_or(std::string())));
}

void free_tensor(const SharedMemoryAllocator& self, PyTensor& tensor) {
  if (tensor.released()) return;
  if (!self.owns(tensor.get().block())) {
    throw Error(ErrorCode::invalid_tensor, "a tensor that this allocator has not allocated: its own one frees it");
  }
  tensor.release();
}

std::size_t cleanup_expired(SharedMemoryAllocator& self, std::optional<double> ttl_seconds) {
  std::optional<Duration> ttl;
  if (ttl_seconds) ttl = duration_of("ttl_seconds", *ttl_seconds);
  const NoGil others_go_on;
  return self.cleanup_expired(ttl);
}

void bind_metrics(nb::module_& m) {
  nb::class_<AllocatorMetrics>(m, "AllocatorMetrics", "Counts of an allocator, and what is there now.")
      .def_ro("regions_active", &AllocatorMetrics::regions_active, "Segments that exist, spare ones included.")
      .def_ro("bytes_reserved", &AllocatorMetrics::bytes_reserved, "Bytes of its segments.")
      .def_ro("bytes_allocated", &AllocatorMetrics::bytes_allocated, "Bytes of living tensors in shared memory.")
      .def_ro("allocations_total", &AllocatorMetrics::allocations_total)
      .def_ro("frees_total", &AllocatorMetrics::frees_total)
      .def_ro("fallbacks", &AllocatorMetrics::fallbacks,
              "Tensors that became memory of this process, by reason: \"budget\", \"forked\", \"closed\", or the\n"
              "system call that was refused.");
}

}  // namespace

void bind_shared_memory_allocator(nb::module_& m) {
  bind_metrics(m);
  nb::class_<AllocatorConfig>(m, "AllocatorConfig", "The limits of a SharedMemoryAllocator.");
  m.def("make_allocator_config", &make_config, "max_memory_bytes"_a.none(), "per_session_quota_bytes"_a.none(),
        "lease_ttl_seconds"_a.none(), "cleanup_interval_seconds"_a, "heap_fallback"_a);
  nb::class_<SharedMemoryAllocator>(m, "SharedMemoryAllocator", nb::is_weak_referenceable())
      .def(
          "__init__",
          [](SharedMemoryAllocator* self, const AllocatorConfig& config) {
            const NoGil others_go_on;
            new (self) SharedMemoryAllocator(config);
          },
          "config"_a)
      .def("allocate_tensor", &allocate_tensor, "shape"_a, "dtype"_a.none() = "uint8", nb::kw_only(),
           "session_id"_a.none() = nb::none(),
           "A tensor in shared memory, not initialised, charged to the session. Its memory comes back when its last\n"
           "view dies.\n\n"
           "Raises:\n"
           "    QuotaExceeded: The session would have more than its quota.\n"
           "    OutOfMemory: Shared memory is refused and heap_fallback is off, or the heap refuses too.\n"
           "    InvalidTensor: No tensor has such a shape or dtype.",
           nb::sig("def allocate_tensor(self, shape: collections.abc.Sequence[int] | int, dtype: typing.Any = 'uint8', "
                   "*, session_id: str | None = None) -> TensorBuffer"))
      .def("free", &free_tensor, "tensor"_a,
           "Gives a tensor back early: using this object then raises InvalidTensor, its other views stay valid. Twice\n"
           "is once.\n\n"
           "Raises:\n"
           "    InvalidTensor: Another allocator's.")
      .def("cleanup_expired", &cleanup_expired, "ttl_seconds"_a.none() = nb::none(),
           "Ends exports that are older (None: than lease_ttl_seconds), and returns how many. Memory under a view is\n"
           "never taken.")
      .def("session_usage", &SharedMemoryAllocator::session_usage, "session_id"_a,
           "Bytes of the session's living tensors, which its quota limits.")
      .def("close_session", &SharedMemoryAllocator::close_session, "session_id"_a, nb::call_guard<NoGil>(),
           "Ends the session's exports and returns how many of its tensors still live. Their memory comes back with\n"
           "the last view.")
      .def("metrics", &SharedMemoryAllocator::metrics)
      .def("close", &SharedMemoryAllocator::close, nb::call_guard<NoGil>(),
           "Ends all exports. Tensors stay valid; new ones are of this process. Twice is once.");
}

}  // namespace remotemedia::python
