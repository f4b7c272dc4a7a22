// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_url.h"

#include "base/text.h"

static bool skip(struct span *text, struct span prefix)
{
    if (text->len < prefix.len || !span_eq(span_of(text->ptr, prefix.len), prefix)) {
        return false;
    }
    *text = span_of(text->ptr + prefix.len, text->len - prefix.len);
    return true;
}

static struct span until(struct span *text, char end)
{
    const char *at = text->len == 0 ? NULL : memchr(text->ptr, end, text->len);
    size_t len = at == NULL ? text->len : (size_t)(at - text->ptr);
    struct span part = span_of(text->ptr, len);
    *text = span_of(text->ptr + len, text->len - len);
    return part;
}

// host, host:port, [v6], [v6]:port
static enum err parse_authority(struct span text, struct redis_url *url)
{
    uint64_t port = REDIS_URL_PORT;
    if (text.len > 0 && text.ptr[0] == '[') {
        text = span_of(text.ptr + 1, text.len - 1);
        url->host = until(&text, ']');
        if (!skip(&text, SPAN_LIT("]"))) {
            return ERR_SYNTAX;
        }
    } else {
        url->host = until(&text, ':');
    }
    if (skip(&text, SPAN_LIT(":"))) {
        if (text_u64_in(text, 1, UINT16_MAX, &port) != ERR_OK) {
            return ERR_SYNTAX;
        }
    } else if (text.len > 0) {
        return ERR_SYNTAX;
    }
    url->port = (uint16_t)port;
    bool has_user = url->host.len > 0 && memchr(url->host.ptr, '@', url->host.len) != NULL;
    return url->host.len == 0 || url->host.len > REDIS_URL_HOST_MAX || has_user ? ERR_SYNTAX
                                                                                : ERR_OK;
}

static enum err parse_unix(struct span path, struct redis_url *url)
{
    url->is_unix = true;
    url->host = path;
    return path.len > 1 && path.ptr[0] == '/' ? ERR_OK : ERR_SYNTAX;
}

enum err redis_url_parse(struct span text, struct redis_url *ret_url)
{
    struct redis_url url = {0};
    uint64_t database = 0;
    if (skip(&text, SPAN_LIT("unix://"))) {
        enum err err = parse_unix(text, &url);
        *ret_url = err == ERR_OK ? url : *ret_url;
        return err;
    }
    url.tls = skip(&text, SPAN_LIT("rediss://"));
    if (!url.tls && !skip(&text, SPAN_LIT("redis://"))) {
        return ERR_SYNTAX;
    }
    enum err err = parse_authority(until(&text, '/'), &url);
    if (err != ERR_OK) {
        return err;
    }
    if (skip(&text, SPAN_LIT("/")) && text.len > 0 &&
        text_u64_in(text, 0, REDIS_URL_DB_MAX, &database) != ERR_OK) {
        return ERR_SYNTAX;
    }
    url.database = (uint32_t)database;
    *ret_url = url;
    return ERR_OK;
}
