// SPDX-License-Identifier: Apache-2.0
//
// REMOTEMEDIA_API marks what a shared library of remotemedia exports; everything else is hidden.

#pragma once

#if defined(_WIN32)
#if defined(REMOTEMEDIA_SHARED_BUILD)
#define REMOTEMEDIA_API __declspec(dllexport)
#elif defined(REMOTEMEDIA_SHARED)
#define REMOTEMEDIA_API __declspec(dllimport)
#else
#define REMOTEMEDIA_API
#endif
#else
#define REMOTEMEDIA_API __attribute__((visibility("default")))
#endif
