// SPDX-License-Identifier: Apache-2.0
//
// Stands in for macOS's <sys/ucred.h>.

#pragma once

#include <sys/types.h>

#define XUCRED_VERSION 0

struct xucred {
  unsigned cr_version;
  uid_t cr_uid;
  short cr_ngroups;
  gid_t cr_groups[16];
};
