// SPDX-License-Identifier: Apache-2.0
// Endpoints are added in many orders; what comes out is written as one line each:
// priority/region/zone/sub-zone address:port id weight status
#include "tests/lib/suite.h"

#include "base/random.h"
#include "replicator/envoy/endpoints.h"

#include <stdio.h>
#include <string.h>

struct given {
    const char *id, *address, *zone;
    uint32_t port, priority, weight;
    enum status status;
};

static void add(struct endpoints *endpoints, const struct given *given)
{
    const struct registration registration = {.address = span_str(given->address),
                                              .port = given->port,
                                              .zone = span_str(given->zone),
                                              .weight = given->weight,
                                              .priority = given->priority};
    CHECK_OK(endpoints_add(endpoints, span_str(given->id), &registration, given->status));
}

static void tell(const struct endpoints *endpoints, char *text, size_t cap)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < endpoints->count; i++) {
        const struct endpoint *e = &endpoints->items[i];
        int wrote =
            snprintf(text + len, cap - len, "%u/%.*s/%.*s/%.*s %.*s:%u %.*s %u %s\n", e->priority,
                     (int)e->region.len, e->region.ptr, (int)e->zone.len, e->zone.ptr,
                     (int)e->sub_zone.len, e->sub_zone.ptr, (int)e->address.len, e->address.ptr,
                     e->port, (int)e->id.len, e->id.ptr, e->weight, status_name(e->status));
        CHECK(wrote > 0 && (size_t)wrote < cap - len);
        len += (size_t)wrote;
    }
}

static const struct given fleet[] = {
    {"d", "10.0.0.4", "z2", 80, 0, 1, STATUS_HEALTHY},
    {"b", "10.0.0.2", "z1", 80, 0, 1, STATUS_UNHEALTHY},
    {"a", "10.0.0.1", "z1", 80, 0, 0, STATUS_HEALTHY}, // weight 0 becomes 1
    {"c", "10.0.0.1", "z1", 79, 0, 3, STATUS_DRAINING},
    {"e", "10.0.0.5", "", 80, 7, 1, STATUS_DEGRADED},         // priority 7 becomes 1
    {"f", "::1", "", 80, 9, 1, STATUS_UNKNOWN},               // 9 becomes 2
    {"g", "0:0:0:0:0:0:0:1", "z9", 80, 0, 1, STATUS_TIMEOUT}, // a twin of f, not of smaller id
    {"h", "10.0.0.4", "z0", 80, 0, 1, STATUS_HEALTHY},        // a twin of d
    {"i", "not an address", "z0", 80, 0, 1, STATUS_HEALTHY},
};
#define FLEET (sizeof(fleet) / sizeof(fleet[0]))

static const char *const ordered = "0//z1/ 10.0.0.1:79 c 3 DRAINING\n"
                                   "0//z1/ 10.0.0.1:80 a 1 HEALTHY\n"
                                   "0//z1/ 10.0.0.2:80 b 1 UNHEALTHY\n"
                                   "0//z2/ 10.0.0.4:80 d 1 HEALTHY\n"
                                   "1/// 10.0.0.5:80 e 1 DEGRADED\n"
                                   "2/// ::1:80 f 1 UNKNOWN\n";

TEST(the_order_of_adding_makes_no_difference)
{
    struct random random;
    struct endpoints endpoints;
    size_t order[FLEET];
    char text[1024];
    random_seed(&random, 1);
    endpoints_init(&endpoints);
    for (size_t i = 0; i < FLEET; i++) {
        order[i] = i;
    }
    for (int round = 0; round < 200; round++) {
        endpoints_clear(&endpoints);
        for (size_t i = FLEET; i > 0; i--) {
            size_t j = random_below(&random, i);
            size_t swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
            add(&endpoints, &fleet[order[i - 1]]);
        }
        endpoints_order(&endpoints);
        tell(&endpoints, text, sizeof(text));
        CHECK_STR(text, ordered);
    }
    endpoints_fini(&endpoints);
}

TEST(nothing_gives_nothing)
{
    struct endpoints endpoints;
    endpoints_init(&endpoints);
    endpoints_order(&endpoints);
    CHECK_EQ(endpoints.count, 0);
    endpoints_clear(&endpoints);
    endpoints_fini(&endpoints);
}

TEST(many_endpoints_keep_their_texts_while_memory_moves)
{
    struct endpoints endpoints;
    endpoints_init(&endpoints);
    for (uint32_t i = 0; i < 5000; i++) {
        char id[16];
        char address[24];
        (void)snprintf(id, sizeof(id), "i%u", i);
        (void)snprintf(address, sizeof(address), "10.0.%u.%u", i / 250, i % 250);
        const struct given given = {id, address, "zone", 1 + i, 0, 1, STATUS_HEALTHY};
        add(&endpoints, &given);
    }
    endpoints_order(&endpoints);
    CHECK_EQ(endpoints.count, 5000);
    for (size_t i = 0; i < 5000; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "i%u", endpoints.items[i].port - 1);
        CHECK(span_eq_str(endpoints.items[i].id, id));
        CHECK(span_eq_str(endpoints.items[i].zone, "zone"));
    }
    endpoints_fini(&endpoints);
}

SUITE("envoy/endpoints", T(the_order_of_adding_makes_no_difference), T(nothing_gives_nothing),
      T(many_endpoints_keep_their_texts_while_memory_moves));
