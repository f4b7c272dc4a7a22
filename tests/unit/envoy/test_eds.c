// SPDX-License-Identifier: Apache-2.0
// What Envoy reads, byte for byte.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/envoy/eds.h"
#include "replicator/envoy/endpoints.h"

#include <string.h>

#define OUT_MAX (1u << 20)

struct writing {
    struct endpoints endpoints;
    struct buf scratch, out;
};

static void writing_init(struct writing *writing)
{
    endpoints_init(&writing->endpoints);
    buf_init(&writing->scratch, OUT_MAX);
    buf_init(&writing->out, OUT_MAX);
}

static void writing_fini(struct writing *writing)
{
    endpoints_fini(&writing->endpoints);
    buf_fini(&writing->scratch);
    buf_fini(&writing->out);
}

static enum err add(struct writing *writing, const char *id, uint32_t priority, const char *zone)
{
    const struct registration registration = {.address = SPAN_LIT("10.0.0.1"),
                                              .port = 8000 + (uint32_t)id[0],
                                              .zone = span_str(zone),
                                              .weight = 1,
                                              .priority = priority};
    enum status status = id[0] % 2 == 0 ? STATUS_HEALTHY : STATUS_UNHEALTHY;
    return endpoints_add(&writing->endpoints, span_str(id), &registration, status);
}

static const char *text_of(struct writing *writing, const char *cluster)
{
    endpoints_order(&writing->endpoints);
    CHECK_OK(eds_write(&writing->endpoints, span_str(cluster), &writing->scratch, &writing->out));
    return buf_cstr(&writing->out);
}

TEST(a_service_without_endpoints_is_an_empty_cluster)
{
    struct writing writing;
    writing_init(&writing);
    const char *text = text_of(&writing, "pay \"1\"");
    CHECK(strncmp(text, "{\"version_info\":\"", 17) == 0);
    CHECK_STR(text + 17 + 16,
              "\",\"resources\":[{\"@type\":\"type.googleapis.com/"
              "envoy.config.endpoint.v3.ClusterLoadAssignment\",\"cluster_name\":\"pay "
              "\\\"1\\\"\",\"endpoints\":[]}]}\n");
    writing_fini(&writing);
}

#define ENDPOINT(port, status)                                                                     \
    "{\"endpoint\":{\"address\":{\"socket_address\":{\"address\":\"10.0.0.1\",\"port_"             \
    "value\":" port "}}},\"health_status\":\"" status "\",\"load_balancing_weight\":1}"

TEST(endpoints_are_grouped_by_priority_and_locality)
{
    struct writing writing;
    writing_init(&writing);
    CHECK_OK(add(&writing, "c", 4, ""));
    CHECK_OK(add(&writing, "b", 0, "z1"));
    CHECK_OK(add(&writing, "a", 0, "z1"));
    CHECK_OK(add(&writing, "d", 0, "z2"));
    const char *text = text_of(&writing, "pay");
    CHECK_STR(
        strstr(text, "\"endpoints\":"),
        "\"endpoints\":["
        "{\"locality\":{\"zone\":\"z1\"},\"lb_endpoints\":[" ENDPOINT(
            "8097",
            "UNHEALTHY") "," ENDPOINT("8098",
                                      "HEALTHY") "],\"priority\":0},"
                                                 "{\"locality\":{\"zone\":\"z2\"},\"lb_endpoints\":"
                                                 "[" ENDPOINT(
                                                     "8100",
                                                     "HEALTHY") "],\"priority\":0},"
                                                                "{\"lb_endpoints\":[" ENDPOINT(
                                                                    "8099",
                                                                    "UNHEALTHY") "],\"priority\":1}"
                                                                                 "]}]}\n");
    writing_fini(&writing);
}

TEST(the_version_depends_on_the_content_alone)
{
    static const char *const orders[] = {"abcd", "dcba", "bdac"};
    char first[EDS_VERSION_LEN] = "";
    for (size_t i = 0; i < 3; i++) {
        struct writing writing;
        writing_init(&writing);
        for (const char *id = orders[i]; *id != '\0'; id++) {
            const char text[2] = {*id, '\0'};
            CHECK_OK(add(&writing, text, *id == 'c', "z"));
        }
        const char *version = text_of(&writing, "pay") + 17;
        if (i == 0) {
            memcpy(first, version, EDS_VERSION_LEN - 1);
        }
        CHECK(memcmp(first, version, EDS_VERSION_LEN - 1) == 0);
        // another content is another version
        endpoints_clear(&writing.endpoints);
        CHECK_OK(add(&writing, "a", 0, "z"));
        CHECK(memcmp(first, text_of(&writing, "pay") + 17, EDS_VERSION_LEN - 1) != 0);
        writing_fini(&writing);
    }
}

TEST(the_version_is_the_same_on_every_machine_and_release)
{
    char version[EDS_VERSION_LEN];
    eds_version(SPAN_LIT("{}"), version);
    CHECK_STR(version, "0945595301dde669");
}

static bool walk(void *arg)
{
    struct writing *writing = arg;
    writing_init(writing);
    bool done = add(writing, "a", 0, "z") == ERR_OK;
    if (done) {
        endpoints_order(&writing->endpoints);
        done = eds_write(&writing->endpoints, SPAN_LIT("pay"), &writing->scratch, &writing->out) ==
               ERR_OK;
    }
    writing_fini(writing);
    return done;
}

TEST(every_allocation_may_fail)
{
    struct writing writing;
    CHECK(failalloc_each(walk, &writing) >= 4);
}

SUITE("envoy/eds", T(a_service_without_endpoints_is_an_empty_cluster),
      T(endpoints_are_grouped_by_priority_and_locality),
      T(the_version_depends_on_the_content_alone),
      T(the_version_is_the_same_on_every_machine_and_release), T(every_allocation_may_fail));
