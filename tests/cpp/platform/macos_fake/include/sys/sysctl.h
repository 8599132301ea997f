// SPDX-License-Identifier: Apache-2.0
//
// Stands in for macOS's <sys/sysctl.h>.

#pragma once

#include <stddef.h>

extern "C" int sysctlbyname(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size);
