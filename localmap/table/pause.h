// SPDX-License-Identifier: Apache-2.0
// What a thread does between two looks at a word that another one will change soon.
// Private to table/; any thread.
#pragma once

// A few cycles in which the core's other half may work.
static inline void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb");
#endif
}
