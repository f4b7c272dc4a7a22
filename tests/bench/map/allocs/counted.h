// SPDX-License-Identifier: Apache-2.0
// Counts what a program asks of the allocator and of the kernel's memory calls, by standing in front of them: a
// program that links counted.c calls these instead of libc's.  Each thread's calls are its own.
#pragma once

#include <stdint.h>

// malloc, calloc, realloc, aligned memory, madvise and mprotect of the calling thread so far.  (The table maps its
// range once, when it is made.)
uint64_t counted_calls(void);
