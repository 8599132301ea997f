// SPDX-License-Identifier: Apache-2.0
//
// Stands in for macOS's <libproc.h>: what platform uses of it.

#pragma once

#include <stdint.h>

#define PROC_PIDTBSDINFO 3

struct proc_bsdinfo {
  uint32_t pbi_pid;
  uint64_t pbi_start_tvsec;
  uint64_t pbi_start_tvusec;
};

extern "C" int proc_pidinfo(int process, int flavor, uint64_t argument, void* buffer, int size);
