// SPDX-License-Identifier: Apache-2.0
// Services of a file, made by hand, on their way through a real core into the map.
#include "replicator/seed.h"

#include "base/log.h"
#include "replicator/config.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <string.h>
#include <unistd.h>

struct file {
    struct config_instance instances[2];
    struct config_service services[2];
    struct config config;
};

static void make_file(struct file *file)
{
    file->instances[0] = (struct config_instance){
        .id = SPAN_LIT("pay-1"), .address = SPAN_LIT("127.0.0.1"), .port = 81, .weight = 1};
    file->instances[1] = (struct config_instance){
        .id = SPAN_LIT("pay-2"), .address = SPAN_LIT("127.0.0.1"), .port = 82, .weight = 5};
    file->services[0] = (struct config_service){.tenant = SPAN_LIT("default"),
                                                .name = SPAN_LIT("pay"),
                                                .instances = file->instances,
                                                .instance_count = 2};
    file->services[1] =
        (struct config_service){.tenant = SPAN_LIT("acme"), .name = SPAN_LIT("empty")};
    for (int i = 0; i < 2; i++) {
        record_policy_default(&file->services[i].policy);
        file->services[i].policy.by = SPAN_LIT("a");
    }
    file->config = (struct config){.services = file->services, .service_count = 2};
}

static struct seed *make_seed(struct file *file)
{
    struct seed *seed = NULL;
    make_file(file);
    CHECK_OK(seed_new(&file->config, &seed));
    return seed;
}

// The registration that is shown; false: none.
static bool shown(const struct fixture *fixture, const char *id, struct map_copy *copy,
                  struct registration *ret_registration)
{
    struct key_bytes key = fixture_key(id);
    struct record record;
    if (!map_get(fixture->map, key_span(&key), copy) || (copy->facts.flags & MAP_TOMBSTONE) != 0 ||
        codec_body_read(KEY_REGISTRATION, map_copy_body(copy), &record) != ERR_OK) {
        return false;
    }
    *ret_registration = record.registration;
    return true;
}

static void register_as(struct fixture *fixture, const char *id, enum source source)
{
    struct key_bytes key = fixture_key(id);
    struct patch patch = fixture_patch(80);
    patch.record.registration.source = source;
    const struct core_write write = {.key = key_span(&key), .patch = &patch};
    driver_write(fixture->driver, &write, NULL, NULL);
}

TEST(what_the_file_says_is_registered_without_an_owner)
{
    struct file file;
    struct fixture fixture;
    struct map_copy copy;
    struct registration registration;
    struct map_service service;
    struct key_bytes empty;
    CHECK(fixture_init(&fixture));
    struct seed *seed = make_seed(&file);
    seed_write(seed, fixture.driver);
    CHECK(shown(&fixture, "pay-2", &copy, &registration));
    CHECK_EQ(registration.port, 82);
    CHECK_EQ(registration.weight, 5);
    CHECK_EQ(registration.source, SOURCE_CONFIG);
    CHECK_EQ(registration.owner.len, 0);
    CHECK_EQ(registration.lease_ms, 0);
    key_policy(SPAN_LIT("acme"), SPAN_LIT("empty"), &empty);
    CHECK(map_service_get(fixture.map, key_span(&empty), &service));
    CHECK(service.policy);
    CHECK_EQ(service.instances, 0);
    seed_free(seed);
    fixture_fini(&fixture);
}
END_TEST

TEST(instances_that_the_quota_leaves_out_are_told_in_one_line)
{
    struct file file;
    struct fixture fixture;
    struct map_copy copy;
    struct registration registration;
    char text[1024] = "";
    int pair[2];
    CHECK_EQ(pipe(pair), 0);
    CHECK(fixture_init(&fixture));
    CHECK_OK(map_set_quota(fixture.map, SPAN_LIT("default"), 1));
    struct seed *seed = make_seed(&file);
    log_set_fd(pair[1]);
    seed_write(seed, fixture.driver);
    log_set_fd(2);
    CHECK(shown(&fixture, "pay-1", &copy, &registration));
    CHECK(!shown(&fixture, "pay-2", &copy, &registration));
    CHECK_INT(read(pair[0], text, sizeof(text) - 1), gt, 0);
    CHECK(strstr(text, "warn over-quota tenant=default service=pay refused=1 ") != NULL);
    (void)close(pair[0]);
    (void)close(pair[1]);
    seed_free(seed);
    fixture_fini(&fixture);
}
END_TEST

TEST(a_registration_of_another_file_that_ours_does_not_list_is_deleted)
{
    struct file file;
    struct fixture fixture;
    struct map_copy copy;
    struct registration registration;
    CHECK(fixture_init(&fixture));
    struct seed *seed = make_seed(&file);
    seed_write(seed, fixture.driver);
    register_as(&fixture, "old-1", SOURCE_CONFIG);
    register_as(&fixture, "api-1", SOURCE_API);
    CHECK(shown(&fixture, "old-1", &copy, &registration));
    seed_clean(seed, fixture.driver, fixture.map);
    CHECK(!shown(&fixture, "old-1", &copy, &registration));
    CHECK(shown(&fixture, "api-1", &copy, &registration));
    CHECK(shown(&fixture, "pay-1", &copy, &registration));
    CHECK(shown(&fixture, "pay-2", &copy, &registration));
    seed_free(seed);
    fixture_fini(&fixture);
}
END_TEST

TEST(more_leftovers_than_one_page_are_all_deleted)
{
    struct file file;
    struct fixture fixture;
    struct map_copy copy;
    struct registration registration;
    char id[8] = "old-00";
    CHECK(fixture_init(&fixture));
    struct seed *seed = make_seed(&file);
    for (int i = 0; i < 50; i++) {
        id[4] = (char)('0' + i / 10);
        id[5] = (char)('0' + i % 10);
        register_as(&fixture, id, SOURCE_CONFIG);
    }
    seed_clean(seed, fixture.driver, fixture.map);
    for (int i = 0; i < 50; i++) {
        id[4] = (char)('0' + i / 10);
        id[5] = (char)('0' + i % 10);
        CHECK(!shown(&fixture, id, &copy, &registration));
    }
    seed_free(seed);
    fixture_fini(&fixture);
}
END_TEST

TEST(only_services_of_the_file_are_its_own)
{
    struct file file;
    struct seed *seed = make_seed(&file);
    CHECK(seed_has(seed, SPAN_LIT("default\0pay")));
    CHECK(seed_has(seed, SPAN_LIT("acme\0empty")));
    CHECK(!seed_has(seed, SPAN_LIT("acme\0pay")));
    CHECK(!seed_has(seed, SPAN_NONE));
    seed_free(seed);
}
END_TEST

static bool make_one(void *arg)
{
    struct seed *seed = NULL;
    if (seed_new(arg, &seed) != ERR_OK) {
        return false;
    }
    seed_free(seed);
    return true;
}

TEST(every_allocation_may_fail)
{
    struct file file;
    make_file(&file);
    CHECK(failalloc_each(make_one, &file.config) > 0);
}
END_TEST

SUITE("node/seed", T(what_the_file_says_is_registered_without_an_owner),
      T(instances_that_the_quota_leaves_out_are_told_in_one_line),
      T(a_registration_of_another_file_that_ours_does_not_list_is_deleted),
      T(more_leftovers_than_one_page_are_all_deleted), T(only_services_of_the_file_are_its_own),
      T(every_allocation_may_fail));
