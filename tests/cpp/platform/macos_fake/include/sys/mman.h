// SPDX-License-Identifier: Apache-2.0
//
// Linux's <sys/mman.h> without what macOS lacks.

#pragma once
#pragma GCC system_header

#include_next <sys/mman.h>

#undef MADV_COLLAPSE
#undef MADV_DONTDUMP
#undef MADV_HUGEPAGE
#undef MADV_POPULATE_READ
#undef MADV_POPULATE_WRITE
#undef MAP_POPULATE
#undef MAP_NORESERVE
#undef MFD_CLOEXEC
#pragma GCC poison MADV_COLLAPSE MADV_DONTDUMP MADV_HUGEPAGE MADV_POPULATE_READ MADV_POPULATE_WRITE MAP_POPULATE
#pragma GCC poison MAP_NORESERVE MFD_CLOEXEC memfd_create mremap
