// SPDX-License-Identifier: Apache-2.0
#include "admin-api/request.h"

#include "base/text.h"

#include <strings.h>

#define QUERY_PARAMETERS_MAX 32
#define QUERY_NAME_LEN_MAX 64

// The next `name[=value]` of a query; advances `rest`.  false: no more.
static bool take_pair(struct span *rest, struct span *ret_name, struct span *ret_value)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->ptr, '&', rest->len);
        struct span pair = span_of(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
        size_t skipped = end == NULL ? pair.len : pair.len + 1;
        *rest = span_of(rest->ptr + skipped, rest->len - skipped);
        if (pair.len == 0) {
            continue;
        }
        const char *equals = memchr(pair.ptr, '=', pair.len);
        size_t name_len = equals == NULL ? pair.len : (size_t)(equals - pair.ptr);
        *ret_name = span_of(pair.ptr, name_len);
        *ret_value = equals == NULL ? SPAN_NONE : span_of(equals + 1, pair.len - name_len - 1);
        return true;
    }
    return false;
}

static bool name_is(struct span raw, const char *name)
{
    char text[QUERY_NAME_LEN_MAX];
    size_t len = 0;
    return text_percent_decode(raw, text, sizeof(text), &len) == ERR_OK &&
           span_eq_str(span_of(text, len), name);
}

enum request_query request_query_get(struct span query, const char *name, char *buf,
                                     struct span *ret_value)
{
    struct span raw_name, raw_value;
    while (take_pair(&query, &raw_name, &raw_value)) {
        if (!name_is(raw_name, name)) {
            continue;
        }
        size_t len = 0;
        if (text_percent_decode(raw_value, buf, REQUEST_QUERY_LEN_MAX, &len) != ERR_OK) {
            return REQUEST_QUERY_BAD;
        }
        *ret_value = span_of(buf, len);
        return REQUEST_QUERY_FOUND;
    }
    return REQUEST_QUERY_ABSENT;
}

bool request_query_only(struct span query, const char *const *names)
{
    uint32_t seen = 0;
    struct span raw_name, raw_value;
    while (take_pair(&query, &raw_name, &raw_value)) {
        size_t i = 0;
        while (names[i] != NULL && i < QUERY_PARAMETERS_MAX && !name_is(raw_name, names[i])) {
            i++;
        }
        if (names[i] == NULL || i == QUERY_PARAMETERS_MAX || (seen & (UINT32_C(1) << i)) != 0) {
            return false;
        }
        seen |= UINT32_C(1) << i;
    }
    return true;
}

static struct span trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_of(text.ptr + 1, text.len - 1);
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

// The media type before its parameters.
static struct span media_type(struct span value)
{
    const char *end = value.len == 0 ? NULL : memchr(value.ptr, ';', value.len);
    return trim(span_of(value.ptr, end == NULL ? value.len : (size_t)(end - value.ptr)));
}

static bool media_eq(struct span media, const char *type)
{
    return media.len == strlen(type) && strncasecmp(media.ptr, type, media.len) == 0;
}

bool request_wants_json(const struct http1_request *http)
{
    struct span rest;
    if (!http1_request_header(http, "Accept", &rest)) {
        return false;
    }
    // The first of the two kinds that is named wins; the q-values of probes do not matter.
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, ',', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        struct span media = media_type(span_of(rest.ptr, len));
        if (media_eq(media, "application/json") || media_eq(media, "application/*")) {
            return true;
        }
        if (media_eq(media, "text/plain") || media_eq(media, "text/*") || media_eq(media, "*/*")) {
            return false;
        }
        size_t skipped = end == NULL ? len : len + 1;
        rest = span_of(rest.ptr + skipped, rest.len - skipped);
    }
    return false;
}

bool request_media_is(const struct http1_request *http, const char *const *types)
{
    struct span value;
    if (http1_request_header_count(http, "Content-Type") != 1 ||
        !http1_request_header(http, "Content-Type", &value)) {
        return false;
    }
    struct span media = media_type(value);
    for (size_t i = 0; types[i] != NULL; i++) {
        if (media_eq(media, types[i])) {
            return true;
        }
    }
    return false;
}
