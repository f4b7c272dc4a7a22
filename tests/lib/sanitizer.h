// SPDX-License-Identifier: Apache-2.0
// Which sanitizer this was compiled with: gcc tells by macros, clang by features.
#pragma once

#if defined(__has_feature)
#define SANITIZER_FEATURE(x) __has_feature(x)
#else
#define SANITIZER_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZER_FEATURE(address_sanitizer)
#define SANITIZER_ADDRESS 1
#else
#define SANITIZER_ADDRESS 0
#endif

// Slow; but it looks at the order of events itself, so a test that waits for a rare one needs fewer rounds.
#if defined(__SANITIZE_THREAD__) || SANITIZER_FEATURE(thread_sanitizer)
#define SANITIZER_THREAD 1
#else
#define SANITIZER_THREAD 0
#endif
