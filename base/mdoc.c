// SPDX-License-Identifier: Apache-2.0
#include "base/mdoc.h"

#include <string.h>

#define LINE_MAX_LEN 72 // what escaping adds stays below the 80 that are good style

// `code` in quotes.
static void put_byte(struct buf *out, char byte, bool *code)
{
    if (byte == '\\') {
        buf_str(out, "\\e");
    } else if (byte == '`') {
        buf_str(out, *code ? "\\(cq" : "\\(oq");
        *code = !*code;
    } else {
        buf_byte(out, byte);
    }
}

// The next word with what is escaped in it; a dot or an apostrophe in front of a line is no macro.
static size_t put_word(struct buf *out, const char *text, bool first, bool *code)
{
    size_t len = strcspn(text, " ");
    if (first && (*text == '.' || *text == '\'')) {
        buf_str(out, "\\&");
    }
    for (size_t i = 0; i < len; i++) {
        put_byte(out, text[i], code);
    }
    return len;
}

void mdoc_line(struct buf *out, const char *text)
{
    bool code = false;
    size_t begin = out->len;
    while (*text != '\0') {
        bool first = out->len == begin;
        if (!first && out->len - begin + 1 + strcspn(text, " ") > LINE_MAX_LEN) {
            buf_byte(out, '\n');
            begin = out->len;
            first = true;
        }
        buf_str(out, first ? "" : " ");
        text += put_word(out, text, first, &code);
        text += strspn(text, " ");
    }
    buf_byte(out, '\n');
}

void mdoc_argument(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    buf_str(out, " \"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') {
            buf_str(out, "\\(dq");
        } else if (text[i] == '\\') {
            buf_str(out, "\\e");
        } else {
            buf_byte(out, text[i]);
        }
    }
    // Punctuation in the end would be set outside of the macro.
    bool stop = len > 0 && strchr(".,:;()[]?!|", text[len - 1]) != NULL;
    buf_str(out, stop ? "\\&\"" : "\"");
}
