// SPDX-License-Identifier: Apache-2.0
#include "admin-api/host.h"

#include <strings.h>

static const char *const own_names[] = {"localhost", "127.0.0.1", "::1"};

struct host_parts {
    struct span name; // without brackets
    struct span port; // "" none
};

static bool equal_without_case(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static struct span tail(struct span text, size_t from)
{
    return span_of(text.ptr + from, text.len - from);
}

// "name", "name:port", "[v6]", "[v6]:port"; false for anything else.
static bool host_split(struct span host, struct host_parts *ret_parts)
{
    if (host.len == 0) {
        return false;
    }
    size_t end = 0;
    bool bracketed = host.ptr[0] == '[';
    while (end < host.len && host.ptr[end] != (bracketed ? ']' : ':')) {
        end++;
    }
    if (bracketed && end == host.len) {
        return false;
    }
    ret_parts->name = bracketed ? span_of(host.ptr + 1, end - 1) : span_of(host.ptr, end);
    struct span rest = tail(host, end + (bracketed ? 1 : 0));
    ret_parts->port = SPAN_NONE;
    if (rest.len > 0) {
        if (rest.ptr[0] != ':' || rest.len == 1) {
            return false;
        }
        ret_parts->port = tail(rest, 1);
    }
    return ret_parts->name.len > 0;
}

static bool port_is(struct span text, uint16_t port)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return value == port;
}

static bool port_is_door(struct span text, struct host_door door)
{
    if (text.len == 0) {
        return door.port == (door.is_tls ? 443 : 80);
    }
    return port_is(text, door.port);
}

static bool name_is_own(const struct host_rules *rules, struct span name)
{
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
        if (equal_without_case(name, span_str(own_names[i]))) {
            return true;
        }
    }
    return rules->listen_ip.len > 0 && equal_without_case(name, rules->listen_ip);
}

static bool host_is_allowed(const struct host_rules *rules, const struct host_parts *host)
{
    for (size_t i = 0; i < rules->allowed_count; i++) {
        struct host_parts allowed;
        if (!host_split(rules->allowed[i], &allowed)) {
            continue;
        }
        if (equal_without_case(allowed.name, host->name) &&
            (allowed.port.len == 0 || span_eq(allowed.port, host->port))) {
            return true;
        }
    }
    return false;
}

bool host_is_ours(const struct host_rules *rules, struct host_door door, struct span host)
{
    struct host_parts parts;
    if (!host_split(host, &parts)) {
        return false;
    }
    return (name_is_own(rules, parts.name) && port_is_door(parts.port, door)) ||
           host_is_allowed(rules, &parts);
}

bool host_origin_is_ours(const struct host_rules *rules, struct host_door door, struct span origin)
{
    static const struct {
        const char *scheme;
        bool is_tls;
    } schemes[] = {{"http://", false}, {"https://", true}};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i].scheme);
        if (origin.len > len && strncasecmp(origin.ptr, schemes[i].scheme, len) == 0) {
            struct host_door seen = {.port = door.port, .is_tls = schemes[i].is_tls};
            return host_is_ours(rules, seen, tail(origin, len));
        }
    }
    return false;
}
