// SPDX-License-Identifier: Apache-2.0
// The test binary's own malloc, calloc and realloc stand before everybody else's, libraries' included;
// they ask failalloc and hand on to the C library, or to the sanitizer's interceptor where there is one.
#include "tests/lib/failalloc.h"

#include "tests/lib/sanitizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#if SANITIZER_ADDRESS || SANITIZER_THREAD
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t len);
void *REAL(calloc)(size_t count, size_t len);
void *REAL(realloc)(void *ptr, size_t len);

// They run before the thread sanitizer is ready, so it must not look into them; clang's would still be told
// of each call by the first attribute.
#if defined(__clang__)
#define NO_TSAN __attribute__((disable_sanitizer_instrumentation))
#else
#define NO_TSAN __attribute__((no_sanitize("thread")))
#endif

#define RUNS_MAX 100000

static _Thread_local size_t countdown; // 0: disarmed
static _Thread_local bool failed;

NO_TSAN static bool must_fail(void)
{
    if (countdown == 0) {
        return false;
    }
    countdown--;
    failed |= countdown == 0;
    return countdown == 0;
}

NO_TSAN void *malloc(size_t len)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return REAL(malloc)(len);
}

NO_TSAN void *calloc(size_t count, size_t len)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return REAL(calloc)(count, len);
}

NO_TSAN void *realloc(void *ptr, size_t len)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return REAL(realloc)(ptr, len);
}

void failalloc_arm(size_t nth)
{
    countdown = nth;
    failed = false;
}

bool failalloc_disarm(void)
{
    countdown = 0;
    return failed;
}

size_t failalloc_each(failalloc_fn walk, void *arg)
{
    for (size_t nth = 1; nth <= RUNS_MAX; nth++) {
        failalloc_arm(nth);
        const bool ok = walk(arg);
        if (failalloc_disarm()) {
            continue;
        }
        if (!ok) {
            fprintf(stderr, "failalloc: the walk fails although no allocation did\n");
            abort();
        }
        return nth - 1;
    }
    fprintf(stderr, "failalloc: no end after %d runs\n", RUNS_MAX);
    abort();
}
