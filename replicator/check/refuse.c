// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/refuse.h"

#include "base/assert.h"
#include "base/cidr.h"

#include <stdlib.h>

struct listener {
    struct cidr address; // all bits; of `any`: not set
    bool any;            // every address of this host
    uint16_t port;
};

struct refuse {
    struct cidr *allow;
    uint32_t allow_count;
    struct cidr *local;
    uint32_t local_count;
    struct listener *listeners;
    uint32_t listener_count;
};

static const char *const always[] = {
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fd00:ec2::254/128",
    "fe80::/10",
    "ff00::/8",
    "64:ff9b::169.254.0.0/112", // link-local behind NAT64
};

static bool contains(const struct cidr *cidrs, uint32_t count, const struct address *address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (cidr_contains(&cidrs[i], address)) {
            return true;
        }
    }
    return false;
}

static enum err parse(const struct span *texts, uint32_t count, struct cidr **ret_cidrs)
{
    struct cidr *cidrs = calloc((size_t)count + 1, sizeof(*cidrs));
    if (cidrs == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cidr_parse(texts[i], &cidrs[i]) != ERR_OK) {
            free(cidrs);
            return ERR_INVALID;
        }
    }
    *ret_cidrs = cidrs;
    return ERR_OK;
}

enum err refuse_new(const struct refuse_options *options, struct refuse **ret_refuse)
{
    struct refuse *refuse = calloc(1, sizeof(*refuse));
    if (refuse == NULL) {
        return ERR_NOMEM;
    }
    enum err err = parse(options->allow, options->allow_count, &refuse->allow);
    if (err == ERR_OK) {
        err = parse(options->local, options->local_count, &refuse->local);
    }
    if (err != ERR_OK) {
        refuse_free(refuse);
        return err;
    }
    refuse->allow_count = options->allow_count;
    refuse->local_count = options->local_count;
    *ret_refuse = refuse;
    return ERR_OK;
}

void refuse_free(struct refuse *refuse)
{
    if (refuse == NULL) {
        return;
    }
    free(refuse->listeners);
    free(refuse->local);
    free(refuse->allow);
    free(refuse);
}

enum err refuse_listener(struct refuse *refuse, const struct check_refused *listener)
{
    struct listener added = {.any = listener->address.len == 0, .port = (uint16_t)listener->port};
    struct address address;
    if (listener->port == 0 || listener->port > UINT16_MAX) {
        return ERR_INVALID;
    }
    if (!added.any) {
        if (address_parse_ip(listener->address, 0, &address) != ERR_OK ||
            cidr_parse(listener->address, &added.address) != ERR_OK) {
            return ERR_INVALID;
        }
        added.any = address_is_any(&address);
    }
    struct listener *listeners =
        realloc(refuse->listeners, sizeof(*listeners) * ((size_t)refuse->listener_count + 1));
    if (listeners == NULL) {
        return ERR_NOMEM;
    }
    listeners[refuse->listener_count++] = added;
    refuse->listeners = listeners;
    return ERR_OK;
}

static bool is_own_listener(const struct refuse *refuse, const struct address *target)
{
    bool local =
        address_is_loopback(target) || contains(refuse->local, refuse->local_count, target);
    for (uint32_t i = 0; i < refuse->listener_count; i++) {
        const struct listener *listener = &refuse->listeners[i];
        bool same = listener->any ? local : cidr_contains(&listener->address, target);
        if (same && listener->port == address_port(target)) {
            return true;
        }
    }
    return false;
}

bool refuse_is_refused(const struct refuse *refuse, const struct address *target)
{
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        struct cidr cidr;
        enum err err = cidr_parse(span_str(always[i]), &cidr);
        ASSERT(err == ERR_OK);
        if (cidr_contains(&cidr, target)) {
            return true;
        }
    }
    if (is_own_listener(refuse, target)) {
        return true;
    }
    return refuse->allow_count > 0 && !contains(refuse->allow, refuse->allow_count, target);
}
