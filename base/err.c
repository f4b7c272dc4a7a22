// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const texts[ERR_COUNT] = {
#define ERR(name, text) [ERR_##name] = text,
#include "base/err.def"
#undef ERR
};

const char *err_text(enum err err)
{
    return (unsigned)err < ERR_COUNT ? texts[err] : "unknown error";
}

_Noreturn void assert_failed(const char *text, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, text);
    fflush(stderr);
    abort();
}
