// SPDX-License-Identifier: Apache-2.0

#include "bindings.h"

namespace nb = nanobind;

NB_MODULE(_core, m) {
  m.doc() = "The compiled part of remotemedia. Use the package remotemedia, not this module.";
  // What outlives the interpreter is told to those who look for leaks, not to every user.
  const nb::object environment = nb::module_::import_("os").attr("environ");
  nb::set_leak_warnings(PyMapping_HasKeyString(environment.ptr(), "REMOTEMEDIA_LEAK_CHECK") != 0);
  m.attr("__version__") = REMOTEMEDIA_VERSION;
  remotemedia::python::bind_errors(m);
  remotemedia::python::bind_records(m);
  remotemedia::python::bind_registry(m);
  remotemedia::python::bind_loading(m);
  remotemedia::python::bind_data_type(m);
  remotemedia::python::bind_shared_memory_allocator(m);
  remotemedia::python::bind_shared_memory_region(m);
  remotemedia::python::bind_tensor_buffer(m);
  remotemedia::python::bind_tensor_capabilities(m);
  remotemedia::python::bind_model_signature(m);
  remotemedia::python::bind_inference_context(m);
  remotemedia::python::bind_worker_info(m);
  remotemedia::python::bind_call_traces(m);
  remotemedia::python::bind_model_worker(m);
  remotemedia::python::bind_model_worker_client(m);
  remotemedia::python::bind_remote_models(m);
}
