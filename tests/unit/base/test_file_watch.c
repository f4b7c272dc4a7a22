// SPDX-License-Identifier: Apache-2.0
// Two files in a folder of the test's own; a look after each thing that somebody does to them.
#include "base/file_watch.h"

#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place {
    char dir[32], cert[64], key[64];
    struct file_watch watch;
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static void set_up(struct place *place)
{
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/mp-watch-XXXXXX");
    CHECK(mkdtemp(place->dir) != NULL);
    (void)snprintf(place->cert, sizeof(place->cert), "%s/cert", place->dir);
    (void)snprintf(place->key, sizeof(place->key), "%s/key", place->dir);
    write_text(place->cert, "one");
    write_text(place->key, "one");
    const char *const paths[] = {place->cert, NULL, "", place->key};
    file_watch_init(&place->watch, paths, 4);
}

static void tear_down(struct place *place)
{
    (void)unlink(place->cert);
    (void)unlink(place->key);
    CHECK_EQ(rmdir(place->dir), 0);
}

TEST(what_stays_as_it_was_read_is_not_read_again)
{
    struct place place;
    set_up(&place);
    CHECK(file_watch_has_files(&place.watch));
    CHECK(!file_watch_look(&place.watch));
    CHECK(!file_watch_look(&place.watch));
    CHECK(!file_watch_is_changing(&place.watch));
    tear_down(&place);
}

TEST(a_change_is_told_once_it_stands_still)
{
    struct place place;
    set_up(&place);
    write_text(place.cert, "longer");
    CHECK(!file_watch_look(&place.watch));
    CHECK(file_watch_is_changing(&place.watch));
    write_text(place.key, "longer"); // still at it
    CHECK(!file_watch_look(&place.watch));
    CHECK(file_watch_look(&place.watch));
    CHECK(file_watch_look(&place.watch)); // until somebody reads them
    file_watch_mark(&place.watch);
    CHECK(!file_watch_look(&place.watch));
    tear_down(&place);
}

TEST(a_change_that_is_taken_back_is_none)
{
    struct place place;
    char aside[80];
    set_up(&place);
    (void)snprintf(aside, sizeof(aside), "%s.aside", place.key);
    CHECK_EQ(rename(place.key, aside), 0);
    CHECK(!file_watch_look(&place.watch));
    CHECK_EQ(rename(aside, place.key), 0);
    CHECK(!file_watch_look(&place.watch));
    CHECK(!file_watch_look(&place.watch));
    tear_down(&place);
}

TEST(a_file_that_goes_and_one_that_comes_are_changes)
{
    struct place place;
    set_up(&place);
    CHECK_EQ(unlink(place.cert), 0);
    CHECK(!file_watch_look(&place.watch));
    CHECK(file_watch_look(&place.watch));
    file_watch_mark(&place.watch);
    write_text(place.cert, "one");
    CHECK(!file_watch_look(&place.watch));
    CHECK(file_watch_look(&place.watch));
    tear_down(&place);
}

TEST(without_files_there_is_nothing_to_look_at)
{
    struct file_watch watch;
    const char *const paths[] = {NULL, ""};
    file_watch_init(&watch, paths, 2);
    CHECK(!file_watch_has_files(&watch));
    CHECK(!file_watch_look(&watch));
    CHECK(!file_watch_look(&watch));
}

SUITE("base/file_watch", T(what_stays_as_it_was_read_is_not_read_again),
      T(a_change_is_told_once_it_stands_still), T(a_change_that_is_taken_back_is_none),
      T(a_file_that_goes_and_one_that_comes_are_changes),
      T(without_files_there_is_nothing_to_look_at));
