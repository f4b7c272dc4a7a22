// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/allocs/counted.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local uint64_t calls;

uint64_t counted_calls(void)
{
    return calls;
}

// glibc's own, under the names that it keeps for those who stand in front.
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t len);
void *__libc_realloc(void *memory, size_t len);
void *__libc_memalign(size_t alignment, size_t len);

void *malloc(size_t len)
{
    calls++;
    return __libc_malloc(len);
}

void *calloc(size_t count, size_t len)
{
    calls++;
    return __libc_calloc(count, len);
}

void *realloc(void *memory, size_t len)
{
    calls++;
    return __libc_realloc(memory, len);
}

void *aligned_alloc(size_t alignment, size_t len)
{
    calls++;
    return __libc_memalign(alignment, len);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t len)
{
    calls++;
    void *memory = __libc_memalign(alignment, len);
    if (memory == NULL) {
        return ENOMEM;
    }
    *ret_memory = memory;
    return 0;
}

int madvise(void *at, size_t len, int advice)
{
    calls++;
    return (int)syscall(SYS_madvise, at, len, advice);
}

int mprotect(void *at, size_t len, int protection)
{
    calls++;
    return (int)syscall(SYS_mprotect, at, len, protection);
}
