// SPDX-License-Identifier: Apache-2.0
#include "base/template.h"

static const struct template_word *word_find(struct span name, const struct template_word *words,
                                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq_str(name, words[i].name)) {
            return &words[i];
        }
    }
    return NULL;
}

// How many bytes at the start are no brace.
static size_t plain_len(struct span text)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] != '{' && text.ptr[len] != '}') {
        len++;
    }
    return len;
}

enum err template_expand(struct span text, const struct template_word *words, size_t count,
                         struct buf *out)
{
    while (text.len > 0) {
        size_t plain = plain_len(text);
        buf_put(out, span_of(text.ptr, plain));
        text = span_of(text.ptr + plain, text.len - plain);
        if (text.len == 0) {
            break;
        }
        const char *end = memchr(text.ptr, '}', text.len);
        if (text.ptr[0] != '{' || end == NULL) {
            return ERR_SYNTAX;
        }
        size_t len = (size_t)(end - text.ptr) + 1;
        const struct template_word *word = word_find(span_of(text.ptr + 1, len - 2), words, count);
        if (word == NULL) {
            return ERR_SYNTAX;
        }
        buf_put(out, word->value);
        text = span_of(text.ptr + len, text.len - len);
    }
    return ERR_OK;
}
