/* SPDX-License-Identifier: Apache-2.0
 *
 * The border between remotemedia and an engine that runs models from files: a backend is a shared library with one
 * function, remotemedia_backend(). Plain C, so that neither side cares what the other was compiled with. Plug-ins in
 * C++ need not fill these in by hand: backend_plugin.h.
 *
 * Text is UTF-8 and ends with 0. Whoever passes a pointer keeps what it points to until the call is over, where
 * nothing else is said. A function that gives an int gives 0 when all is well; otherwise it has filled in `error`.
 * Nothing may be thrown across, though the host survives it. */

#ifndef REMOTEMEDIA_BACKENDS_BACKEND_ABI_H
#define REMOTEMEDIA_BACKENDS_BACKEND_ABI_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(modernize-use-using, readability-identifier-naming) */

#ifdef __cplusplus
extern "C" {
#endif

/* Of what is declared here. A host takes plug-ins of its own version only. */
#define REMOTEMEDIA_BACKEND_ABI 1u

/* Why something did not work, cut off at the end of `text`, which always ends with 0. */
typedef struct remotemedia_error {
  char text[2048];
} remotemedia_error;

/* A tensor of a model. dtype: NumPy's name ("float32"). An extent of -1 may be any. Without the batch dimension where
 * the model batches. */
typedef struct remotemedia_spec {
  const char* name;
  const char* dtype;
  const int64_t* shape;
  size_t rank;
} remotemedia_spec;

/* What a loaded model is. Stays until the model is unloaded.
 *
 * max_batch_size: above 0, every tensor of a call has one more dimension in front, of 1 to as many rows.
 * memory_bytes:   what the model takes, measured where the engine says it, 0 where nobody knows. */
typedef struct remotemedia_description {
  const remotemedia_spec* inputs;
  size_t input_count;
  const remotemedia_spec* outputs;
  size_t output_count;
  int64_t max_batch_size;
  uint64_t memory_bytes;
  const char* device;
} remotemedia_description;

/* What is asked of load().
 *
 * options:   names and values in turn, and NULL at the end; one that the engine does not know is an error.
 * instances: from how many threads infer() will be called at once.
 * progress:  says how far the load is, from 0 to 1, or below 0 where that is not known. Never NULL. */
typedef struct remotemedia_load {
  const char* path;
  const char* device;
  int64_t max_batch_size;
  size_t instances;
  const char* const* options;
  void* host;
  void (*progress)(void* host, double fraction, const char* stage);
} remotemedia_load;

/* An input of a call: elements row-major without gaps, not to be written. */
typedef struct remotemedia_tensor {
  const char* name;
  const char* dtype;
  const int64_t* shape;
  size_t rank;
  const void* data;
} remotemedia_tensor;

/* One batch. The inputs are those that the model describes, in that order, checked.
 *
 * output:    memory for an output, row-major, aligned to 64 bytes, that the caller reads where it lies; once for each.
 *            NULL where it can't be had: then infer() gives up, and what it says is not needed.
 * copied:    says that bytes had to be copied since the engine would not read or write them in place.
 * cancelled: whether nobody waits for the answer any more. */
typedef struct remotemedia_call {
  const remotemedia_tensor* inputs;
  size_t input_count;
  void* host;
  void* (*output)(void* host, const char* name, const int64_t* shape, size_t rank);
  void (*copied)(void* host, uint64_t bytes);
  int (*cancelled)(void* host);
} remotemedia_call;

typedef struct remotemedia_model remotemedia_model;

/* file_kinds: the ends of the names of files that load() reads, with their dots, and NULL at the end.
 * load:       NULL for an error.
 * warm_up:    before the first call. May be NULL.
 * infer:      from as many threads at once as load() was told.
 * unload:     after the last call. */
typedef struct remotemedia_backend_functions {
  uint32_t abi;
  const char* name;
  const char* version;
  const char* const* file_kinds;
  remotemedia_model* (*load)(const remotemedia_load* request, remotemedia_error* error);
  const remotemedia_description* (*describe)(const remotemedia_model* model);
  int (*warm_up)(remotemedia_model* model, remotemedia_error* error);
  int (*infer)(remotemedia_model* model, const remotemedia_call* call, remotemedia_error* error);
  void (*unload)(remotemedia_model* model);
} remotemedia_backend_functions;

#define REMOTEMEDIA_BACKEND_ENTRY "remotemedia_backend"

#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    /* What a plug-in defines. The same at every call, and until the process ends. */
    const remotemedia_backend_functions* remotemedia_backend(void);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-use-using, readability-identifier-naming) */

#endif
