// SPDX-License-Identifier: Apache-2.0
// ASSERT states what we know.  It is compiled into every build and ends the process with the place
// when it does not hold; operating errors are handled, never asserted.  Any thread.
#pragma once

#include <stdbool.h>

// Prints `file:line: function: assertion failed: text` to stderr and aborts.
_Noreturn void assert_failed(const char *text, const char *file, int line, const char *function);

#define ASSERT(cond)                                                                               \
    (__builtin_expect(!!(cond), 1) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__, __func__))
