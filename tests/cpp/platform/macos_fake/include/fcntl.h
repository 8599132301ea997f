// SPDX-License-Identifier: Apache-2.0
//
// Linux's <fcntl.h> without what macOS lacks.

#pragma once
#pragma GCC system_header

#include_next <fcntl.h>

#undef F_ADD_SEALS
#undef F_GET_SEALS
#undef O_PATH
#undef O_TMPFILE
#pragma GCC poison F_ADD_SEALS F_GET_SEALS O_PATH O_TMPFILE fallocate
