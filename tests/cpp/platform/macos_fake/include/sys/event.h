// SPDX-License-Identifier: Apache-2.0
//
// Stands in for macOS's <sys/event.h>: what platform uses of it.

#pragma once
#pragma GCC system_header  // a function that is named like a structure

#include <stdint.h>
#include <time.h>

#define EVFILT_PROC (-5)
#define EV_ADD 0x0001
#define NOTE_EXIT 0x80000000U

struct kevent {
  uintptr_t ident;
  int16_t filter;
  uint16_t flags;
  uint32_t fflags;
  intptr_t data;
  void* udata;
};

#define EV_SET(event, id, of, with, events, value, user) (*(event) = {(id), (of), (with), (events), (value), (user)})

extern "C" int kqueue();
extern "C" int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int event_count,
                      const timespec* timeout);
