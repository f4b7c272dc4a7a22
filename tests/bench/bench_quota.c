// SPDX-License-Identifier: Apache-2.0
// One tenant of 200 explodes: what that does to the memory of the process and to the writes of the others, and
// what a place in a quota costs.  The bar is of resident memory; the others' writes are measured before and while
// the one is refused.  One thread writes, as in the daemon.
#include "base/random.h"
#include "localmap/quota.h"
#include "tests/bench/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TENANTS 200
#define RECORDS_EACH 500
#define QUOTA 1000
#define EXPLODES 1000000
#define OTHERS_WRITES 20000
#define PLACES 200000
#define THREADS 8

static char body[88];

static struct span key_of(int tenant, int instance, char text[64])
{
    int len = snprintf(text, 64, "tenant-%03d%cpayment%cinstance-%07d", tenant, 0, 0, instance);
    return span_of(text, (size_t)len);
}

static enum put_result put(struct map *map, struct span key, uint64_t counter)
{
    enum put_result result = PUT_STALE;
    const struct codec_value value = {.version = {counter, 1}, .body = span_of(body, sizeof(body))};
    if (map_put(map, key, &value, 0, 0, &result) != ERR_OK) {
        report_give_up("no memory");
    }
    return result;
}

static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) {
        report_give_up("no /proc/self/statm");
    }
    (void)fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double map_bytes(const struct map *map)
{
    struct map_counts counts;
    map_counts(map, &counts);
    return (double)counts.bytes;
}

static struct map *filled(uint32_t quota)
{
    const struct map_options options = {
        .shards = 64, .partitions = 16, .changefeed = 65536, .instance = 1};
    struct map *map = NULL;
    if (map_new(&options, &map) != ERR_OK || map_set_quota(map, SPAN_NONE, quota) != ERR_OK) {
        report_give_up("no memory");
    }
    for (int tenant = 0; tenant < TENANTS; tenant++) {
        for (int i = 0; i < RECORDS_EACH; i++) {
            char text[64];
            (void)put(map, key_of(tenant, i, text), 1);
        }
    }
    return map;
}

// Changes of records that are there, of all tenants but the first; ns a write.
static double write_others(struct map *map, uint64_t counter)
{
    struct random random;
    random_seed(&random, counter);
    double began = report_cpu_us();
    for (int i = 0; i < OTHERS_WRITES; i++) {
        char text[64];
        int tenant = 1 + (int)random_below(&random, TENANTS - 1);
        (void)put(map, key_of(tenant, (int)random_below(&random, RECORDS_EACH), text), counter);
    }
    return (report_cpu_us() - began) * 1000 / OTHERS_WRITES;
}

static void explode(void)
{
    struct map *map = filled(QUOTA);
    double write_before = write_others(map, 2);
    double map_before = map_bytes(map);
    double rss_before = resident();
    int taken = 0;
    double began = report_cpu_us();
    for (int i = 0; i < EXPLODES; i++) {
        char text[64];
        taken += put(map, key_of(0, RECORDS_EACH + i, text), 1) == PUT_NEW ? 1 : 0;
    }
    double refused_ns = (report_cpu_us() - began) * 1000 / EXPLODES;
    double rss_after = resident();
    report_row("explode", "records of 200 tenants before", TENANTS * RECORDS_EACH);
    report_row("explode", "new names that one of them then tries", EXPLODES);
    report_row("explode", "of which are taken (its quota less what it had)", taken);
    report_row("explode", "ns per try, nearly all refused", refused_ns);
    report_row("explode", "resident MB before", rss_before / 1e6);
    report_row("explode", "resident MB after", rss_after / 1e6);
    report_row("explode", "map's own bytes, after / before", map_bytes(map) / map_before);
    report_row("explode", "ns per write of the others before", write_before);
    report_row("explode", "ns per write of the others after", write_others(map, 3));
    report_bar(&(struct report_bar){"quota-explosion-memory", rss_after / rss_before,
                                    REPORT_AT_MOST, 1.03});
    map_free(map);
}

// --- what a place costs

struct entrant {
    struct quota *quota;
    double cpu_us;
};

static void *come_and_go(void *arg)
{
    struct entrant *entrant = arg;
    const struct quota_move in = {
        .key = SPAN_LIT("tenant"), .to = QUOTA_LIVE, .enters = true, .new_name = true};
    const struct quota_move out = {.key = SPAN_LIT("tenant"), .from = QUOTA_LIVE};
    double began = report_cpu_us();
    for (int i = 0; i < PLACES; i++) {
        if (quota_apply(entrant->quota, &in) == ERR_OK &&
            quota_apply(entrant->quota, &out) != ERR_OK) {
            report_give_up("a place could not be given back");
        }
    }
    entrant->cpu_us = report_cpu_us() - began;
    return NULL;
}

// ns of CPU per place taken and given back, of `threads` on one tenant.
static double place_ns(struct quota *quota, int threads)
{
    pthread_t handles[THREADS];
    struct entrant entrants[THREADS];
    double cpu_us = 0;
    for (int i = 0; i < threads; i++) {
        entrants[i] = (struct entrant){.quota = quota};
        if (pthread_create(&handles[i], NULL, come_and_go, &entrants[i]) != 0) {
            report_give_up("no thread");
        }
    }
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(handles[i], NULL);
        cpu_us += entrants[i].cpu_us;
    }
    return cpu_us * 1000 / (PLACES * threads);
}

static void cost(void)
{
    static struct report_samples one, eight;
    struct quota *quota = NULL;
    if (quota_new(&quota) != ERR_OK || quota_set(quota, SPAN_LIT("tenant"), QUOTA) != ERR_OK) {
        report_give_up("no memory");
    }
    for (int round = 0; round < 9; round++) {
        report_add(&one, place_ns(quota, 1));
        report_add(&eight, place_ns(quota, THREADS));
    }
    report_row("place", "ns to take one and give it back, one thread", report_quantile(&one, 0.5));
    report_row("place", "the same, eight threads on one tenant", report_quantile(&eight, 0.5));
    quota_free(quota);
}

int main(void)
{
    explode();
    cost();
    report_finish();
    return EXIT_SUCCESS;
}
