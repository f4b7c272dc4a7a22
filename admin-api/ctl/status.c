// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/status.h"

#include <string.h>
#include <strings.h>

static const char *const words[] = {
#define STATUS(name, number) #name,
#include "localmap/model/model.def"
#undef STATUS
};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

// WORD_COUNT: no such word.
static size_t find(struct span text)
{
    size_t i = 0;
    while (i < WORD_COUNT &&
           (strlen(words[i]) != text.len || strncasecmp(words[i], text.ptr, text.len) != 0)) {
        i++;
    }
    return i;
}

const char *status_word(struct span text)
{
    size_t i = find(text);
    return i < WORD_COUNT ? words[i] : NULL;
}

enum err status_set_parse(const char *list, unsigned *ret_set)
{
    unsigned set = 0;
    const char *at = list;
    for (;;) {
        size_t len = strcspn(at, ",");
        size_t i = find(span_of(at, len));
        if (i == WORD_COUNT) {
            return ERR_SYNTAX;
        }
        set |= 1U << i;
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    *ret_set = set;
    return ERR_OK;
}

bool status_set_has(unsigned set, struct span status)
{
    size_t i = find(status);
    return i < WORD_COUNT && (set >> i & 1) != 0;
}
