// SPDX-License-Identifier: Apache-2.0
//
// Stands in for macOS's <mach/mach.h>: what platform uses of it.

#pragma once

#define KERN_SUCCESS 0
#define HOST_VM_INFO64 4
#define HOST_VM_INFO64_COUNT (static_cast<mach_msg_type_number_t>(sizeof(vm_statistics64_data_t) / sizeof(integer_t)))

using integer_t = int;
using natural_t = unsigned;
using kern_return_t = int;
using mach_port_t = natural_t;
using mach_msg_type_number_t = natural_t;
using host_info64_t = integer_t*;

struct vm_statistics64_data_t {
  natural_t free_count;
  natural_t active_count;
  natural_t inactive_count;
  natural_t wire_count;
};

extern "C" mach_port_t mach_host_self();
extern "C" mach_port_t mach_task_self();
extern "C" kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name);
extern "C" kern_return_t host_statistics64(mach_port_t host, int flavor, host_info64_t info,
                                           mach_msg_type_number_t* count);
