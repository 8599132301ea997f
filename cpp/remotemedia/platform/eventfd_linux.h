// SPDX-License-Identifier: Apache-2.0
//
// Raising an eventfd that others hold too. All holders share its flags: where one of them makes it blocking and fills
// it, a write() waits for as long as that one likes. When Linux raises an eventfd itself, since a request is done, it
// never waits. So that is what it is asked for.

#pragma once

namespace remotemedia::platform {

/// From here on raise_eventfd() never waits in this process; where the system has or allows no asynchronous requests,
/// it goes on to be a write().
///
/// Errors:  OsError, as where the machine's requests (fs.aio-max-nr) are used up.
void expect_other_holders();

/// Adds 1 to the count of `eventfd`, or leaves it where it is full.
///
/// Cost:  one system call; another each few dozen times.
void raise_eventfd(int eventfd) noexcept;

}  // namespace remotemedia::platform
