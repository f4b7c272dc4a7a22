// SPDX-License-Identifier: Apache-2.0
// Probes and metrics: the words that Kubernetes and people read.
#include "admin-api/handle.h"

#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

static void not_ready(struct fake *fake)
{
    fake->ready = false;
}

static void dead(struct fake *fake)
{
    fake->live = false;
}

static void without_stream(struct fake *fake)
{
    fake->stream_ok = false;
}

TEST(a_healthy_daemon_passes_its_probes)
{
    static const struct row rows[] = {
        {"GET", "/livez", NULL, NULL, 200, "\nok", "["},
        {"GET", "/readyz", NULL, NULL, 200, "\nok", "["},
        {"HEAD", "/readyz", NULL, NULL, 200, NULL, NULL},
        {"GET", "/livez?verbose", NULL, NULL, 200, "\n[+]loop ok\nlivez check passed\n", NULL},
        {"GET", "/readyz?verbose", NULL, NULL, 200,
         "\n[+]map-replayed ok\n[+]stream ok\nreadyz check passed\n", "failed"},
        {"GET", "/readyz?verbose=true", NULL, NULL, 200, "[+]stream ok", NULL},
        {"GET", "/readyz?verbose&exclude=x", NULL, NULL, 200, "[+]stream ok", NULL},
        {"GET", "/readyz", "Accept: application/json\n", NULL, 200,
         "{\"status\":\"ok\",\"checks\":[{\"name\":\"map-replayed\",\"ok\":true,\"detail\":\"\"}",
         NULL},
        {"GET", "/readyz", "Accept: text/html, */*\n", NULL, 200, "\nok", "{"},
        {"GET", "/readyz", "Accept: application/json;q=0.9, */*;q=0.1\n", NULL, 200, "{", NULL},
        {"GET", "/metrics", NULL, NULL, 200, "meshpulse_ready", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_failed_probe_says_why_without_being_asked)
{
    static const struct row cold[] = {
        {"GET", "/readyz", NULL, NULL, 503,
         "[-]map-replayed failed: 3 of 4 partitions are read\n[+]stream ok\nreadyz check failed\n",
         NULL},
        {"GET", "/readyz", "Accept: application/json\n", NULL, 503,
         "{\"status\":\"failed\",\"checks\":[{\"name\":\"map-replayed\",\"ok\":false,\"detail\":"
         "\"3 of 4",
         NULL},
        {"GET", "/livez", NULL, NULL, 200, "\nok", NULL},
    };
    static const struct row stuck[] = {
        {"GET", "/livez", NULL, NULL, 503, "[-]loop failed: ", NULL},
        {"GET", "/livez", NULL, NULL, 503, "livez check failed\n", NULL},
    };
    ROWS_RUN(cold, not_ready);
    ROWS_RUN(stuck, dead);
}
END_TEST

TEST(losing_the_stream_later_does_not_unset_ready)
{
    static const struct row rows[] = {
        {"GET", "/readyz", NULL, NULL, 200, "\nok", NULL},
        {"GET", "/readyz?verbose", NULL, NULL, 200,
         "[-]stream failed: connection refused\nreadyz check passed\n", NULL},
    };
    ROWS_RUN(rows, without_stream);
}
END_TEST

SUITE("api/handlers_probe", T(a_healthy_daemon_passes_its_probes),
      T(a_failed_probe_says_why_without_being_asked),
      T(losing_the_stream_later_does_not_unset_ready));
