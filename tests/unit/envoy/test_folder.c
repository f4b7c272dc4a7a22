// SPDX-License-Identifier: Apache-2.0
// In a folder of the test's own, which is removed at its end.
#include "tests/lib/suite.h"

#include "replicator/envoy/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void made(char path[64])
{
    (void)snprintf(path, 64, "/tmp/meshpulse-folder-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(dir);
    return count;
}

TEST(a_file_is_replaced_as_a_whole)
{
    char path[64];
    struct folder folder;
    made(path);
    CHECK_OK(folder_open(path, &folder));
    CHECK(!folder_holds(&folder, "a.json", SPAN_LIT("")));
    CHECK_OK(folder_replace(&folder, "a.json", SPAN_LIT("one")));
    CHECK(folder_holds(&folder, "a.json", SPAN_LIT("one")));
    CHECK(!folder_holds(&folder, "a.json", SPAN_LIT("two")));
    CHECK(!folder_holds(&folder, "a.json", SPAN_LIT("on")));
    CHECK_OK(folder_replace(&folder, "a.json", SPAN_LIT("")));
    CHECK(folder_holds(&folder, "a.json", SPAN_LIT("")));
    CHECK_EQ(entries(path), 1);
    CHECK_EQ(unlinkat(folder.fd, "a.json", 0), 0);
    folder_close(&folder);
    CHECK_EQ(rmdir(path), 0);
}

TEST(a_link_in_the_way_is_replaced_and_not_followed)
{
    char path[64];
    char inside[96];
    struct folder folder;
    made(path);
    CHECK_OK(folder_open(path, &folder));
    CHECK_OK(folder_replace(&folder, "victim", SPAN_LIT("kept")));
    CHECK_EQ(symlinkat("victim", folder.fd, "a.json"), 0);
    CHECK_EQ(symlinkat("victim", folder.fd, folder.temporary), 0);
    CHECK(!folder_holds(&folder, "a.json", SPAN_LIT("kept")));
    CHECK(folder_replace(&folder, "a.json", SPAN_LIT("new")) != ERR_OK); // and removes the link
    CHECK_OK(folder_replace(&folder, "a.json", SPAN_LIT("new")));
    CHECK(folder_holds(&folder, "victim", SPAN_LIT("kept")));
    CHECK(folder_holds(&folder, "a.json", SPAN_LIT("new")));
    (void)snprintf(inside, sizeof(inside), "%s/victim", path);
    CHECK_EQ(unlink(inside), 0);
    CHECK_EQ(unlinkat(folder.fd, "a.json", 0), 0);
    folder_close(&folder);
    CHECK_EQ(rmdir(path), 0);
}

TEST(a_folder_is_made_but_not_its_parents)
{
    char path[64];
    char below[96];
    struct folder folder;
    made(path);
    (void)snprintf(below, sizeof(below), "%s/a/b", path);
    CHECK_EQ(folder_open(below, &folder), ERR_NOT_FOUND);
    (void)snprintf(below, sizeof(below), "%s/a", path);
    CHECK_OK(folder_open(below, &folder));
    CHECK_EQ(rmdir(below), 0);
    CHECK_EQ(folder_replace(&folder, "a.json", SPAN_LIT("x")), ERR_NOT_FOUND);
    folder_close(&folder);
    CHECK_EQ(rmdir(path), 0);
    CHECK_EQ(folder_open("/dev/null", &folder), ERR_NOT_FOUND);
}

SUITE("envoy/folder", T(a_file_is_replaced_as_a_whole),
      T(a_link_in_the_way_is_replaced_and_not_followed), T(a_folder_is_made_but_not_its_parents));
