// SPDX-License-Identifier: Apache-2.0
//
// The binding files, one for each subject.

#pragma once

#include <nanobind/nanobind.h>

namespace remotemedia::python {

void bind_get_or_load(nanobind::handle registry_type);
void bind_errors(nanobind::module_& m);
void bind_records(nanobind::module_& m);
void bind_registry(nanobind::module_& m);
void bind_loading(nanobind::module_& m);
void bind_data_type(nanobind::module_& m);
void bind_tensor_buffer(nanobind::module_& m);
void bind_shared_memory_allocator(nanobind::module_& m);
void bind_shared_memory_region(nanobind::module_& m);
void bind_tensor_capabilities(nanobind::module_& m);
void bind_model_signature(nanobind::module_& m);
void bind_inference_context(nanobind::module_& m);
void bind_worker_info(nanobind::module_& m);
void bind_call_traces(nanobind::module_& m);
void bind_model_worker(nanobind::module_& m);
void bind_model_worker_client(nanobind::module_& m);
void bind_remote_models(nanobind::module_& m);

}  // namespace remotemedia::python
