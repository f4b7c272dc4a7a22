// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/errors.h"

struct errors_row {
    const char *prefix;
    enum errors_class class;
    const char *meaning;
};

static const struct errors_row rows[] = {
#define ERRORS_ROW(prefix, class, meaning) {prefix, ERRORS_##class, meaning},
#include "stream/redis/errors.def"
#undef ERRORS_ROW
};

static const struct errors_row *find(struct span text)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].prefix);
        if (text.len >= len && memcmp(text.ptr, rows[i].prefix, len) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

enum errors_class errors_classify(struct span text)
{
    const struct errors_row *row = find(text);
    return row == NULL ? ERRORS_RETRY : row->class;
}

const char *errors_meaning(struct span text)
{
    const struct errors_row *row = find(text);
    return row == NULL ? "" : row->meaning;
}

enum stream_status errors_status(enum errors_class class)
{
    switch (class) {
    case ERRORS_RETRY:
    case ERRORS_REDISCOVER:
    case ERRORS_NOSCRIPT:
        return STREAM_RETRY;
    case ERRORS_PAGE:
        return STREAM_MISTYPED;
    case ERRORS_CONFIG:
        return STREAM_CONFIG;
    case ERRORS_EPOCH:
        return STREAM_EPOCH;
    }
    return STREAM_RETRY;
}
