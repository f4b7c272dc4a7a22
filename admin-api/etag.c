// SPDX-License-Identifier: Apache-2.0
#include "admin-api/etag.h"

#include <inttypes.h>
#include <stdio.h>

void etag_format(struct version version, uint64_t pending, char ret_text[ETAG_LEN])
{
    char text[VERSION_TEXT_LEN];
    (void)version_format(version, text);
    if (pending == 0) {
        (void)snprintf(ret_text, ETAG_LEN, "\"%s\"", text);
    } else {
        (void)snprintf(ret_text, ETAG_LEN, "\"%s+%" PRIu32 "\"", text,
                       pending > UINT32_MAX ? UINT32_MAX : (uint32_t)pending);
    }
}

static struct span skip_space(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_of(text.ptr + 1, text.len - 1);
    }
    return text;
}

static bool is_etag_char(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

// One `[W/]"..."` at the start of `text`.  Returns what follows it; ptr NULL when there is none.
static struct span take_tag(struct span text, bool *ret_weak, struct span *ret_tag)
{
    *ret_weak = text.len >= 2 && text.ptr[0] == 'W' && text.ptr[1] == '/';
    size_t start = *ret_weak ? 2 : 0;
    if (start >= text.len || text.ptr[start] != '"') {
        return SPAN_NONE;
    }
    size_t end = start + 1;
    while (end < text.len && is_etag_char(text.ptr[end])) {
        end++;
    }
    if (end >= text.len || text.ptr[end] != '"') {
        return SPAN_NONE;
    }
    *ret_tag = span_of(text.ptr + start + 1, end - start - 1);
    return span_of(text.ptr + end + 1, text.len - end - 1);
}

enum etag_condition etag_if_match(struct span value, struct version *ret_version)
{
    if (span_eq_str(value, "*")) {
        return ETAG_ANY;
    }
    bool weak = false;
    struct span tag = SPAN_NONE;
    struct span rest = take_tag(value, &weak, &tag);
    if (rest.ptr == NULL || rest.len > 0 || weak) {
        return ETAG_MALFORMED;
    }
    struct version version;
    if (version_parse(tag, &version) != ERR_OK || version_is_none(version)) {
        return ETAG_NEVER;
    }
    *ret_version = version;
    return ETAG_VERSION;
}

bool etag_none_match_hits(struct span value, const char *etag)
{
    struct span rest = skip_space(value);
    if (span_eq_str(rest, "*")) {
        return true;
    }
    struct span wanted = span_of(etag + 1, strlen(etag) - 2);
    while (rest.len > 0) {
        bool weak = false;
        struct span tag = SPAN_NONE;
        rest = take_tag(rest, &weak, &tag);
        if (rest.ptr == NULL) {
            return false;
        }
        if (span_eq(tag, wanted)) {
            return true;
        }
        rest = skip_space(rest);
        if (rest.len == 0 || rest.ptr[0] != ',') {
            return false;
        }
        rest = skip_space(span_of(rest.ptr + 1, rest.len - 1));
    }
    return false;
}
