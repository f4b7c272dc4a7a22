// SPDX-License-Identifier: Apache-2.0
// Trees of small files stand in for the kernel's: each test lays one out in a folder of its own and says what
// is to be read from it.  The last one reads the tree of the machine that it runs on.
#include "base/cgroup.h"

#include "tests/lib/suite.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX];

static void begin_tree(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/mp-cgroup-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *place)
{
    (void)found;
    (void)type;
    (void)place;
    return remove(path);
}

static void end_tree(void)
{
    CHECK_EQ(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void make_path(const char *path, char ret_path[PATH_MAX])
{
    CHECK(snprintf(ret_path, PATH_MAX, "%.1000s/%s", root, path) < PATH_MAX);
    for (char *slash = ret_path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(ret_path, 0700);
        *slash = '/';
    }
}

static void lay(const char *path, const char *text)
{
    char full[PATH_MAX];
    make_path(path, full);
    FILE *file = fopen(full, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static void take_away(const char *path)
{
    char full[PATH_MAX];
    make_path(path, full);
    CHECK_EQ(unlink(full), 0);
}

static struct cgroup_memory look(void)
{
    char self[PATH_MAX];
    struct cgroup_memory memory;
    CHECK(snprintf(self, sizeof(self), "%.1000s/self", root) < PATH_MAX);
    cgroup_read_memory(root, self, &memory);
    return memory;
}

#define CHECK_MEMORY(memory, used, most)                                                           \
    do {                                                                                           \
        CHECK((memory).known);                                                                     \
        CHECK_UEQ((memory).usage, (used));                                                         \
        CHECK_UEQ((memory).limit, (most));                                                         \
    } while (0)

#define CHECK_UNKNOWN(memory)                                                                      \
    do {                                                                                           \
        CHECK(!(memory).known);                                                                    \
        CHECK_UEQ((memory).usage, 0);                                                              \
        CHECK_UEQ((memory).limit, 0);                                                              \
    } while (0)

TEST(version_two_tells_usage_limit_and_pressure)
{
    begin_tree();
    lay("self", "0::/pod/app\n");
    lay("pod/app/memory.current", "52428800\n");
    lay("pod/app/memory.max", "104857600\n");
    lay("pod/app/memory.high", "max\n");
    lay("pod/app/memory.pressure", "some avg10=12.34 avg60=1.00 avg300=0.10 total=99\n"
                                   "full avg10=3.00 avg60=0.00 avg300=0.00 total=9\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V2);
    CHECK_MEMORY(memory, 52428800, 104857600);
    CHECK(memory.pressure_known);
    CHECK_UEQ(memory.pressure, 1234);
    end_tree();
}

TEST(the_lesser_of_max_and_high_is_the_limit)
{
    begin_tree();
    lay("self", "0::/a\n");
    lay("a/memory.current", "10\n");
    lay("a/memory.max", "1000\n");
    lay("a/memory.high", "800\n");
    CHECK_MEMORY(look(), 10, 800);
    lay("a/memory.high", "1200\n");
    CHECK_MEMORY(look(), 10, 1000);
    lay("a/memory.max", "max\n");
    CHECK_MEMORY(look(), 10, 1200);
    lay("a/memory.high", "max\n");
    CHECK_MEMORY(look(), 10, 0);
    lay("a/memory.max", "0\n"); // no memory at all is a limit
    CHECK_MEMORY(look(), 10, 1);
    CHECK(!look().pressure_known); // PSI is off
    end_tree();
}

TEST(version_one_tells_usage_and_limit)
{
    begin_tree();
    lay("self", "12:cpu,cpuacct:/else\n4:memory:/pod/app\n1:name=systemd:/x\n0::/\n");
    lay("memory/pod/app/memory.usage_in_bytes", "777\n");
    lay("memory/pod/app/memory.limit_in_bytes", "1000\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V1);
    CHECK_MEMORY(memory, 777, 1000);
    CHECK(!memory.pressure_known);
    lay("memory/pod/app/memory.limit_in_bytes",
        "9223372036854771712\n"); // "unlimited", pages of 4 KiB
    CHECK_MEMORY(look(), 777, 0);
    lay("memory/pod/app/memory.limit_in_bytes", "9223372036854710272\n"); // of 64 KiB
    CHECK_MEMORY(look(), 777, 0);
    lay("memory/pod/app/memory.limit_in_bytes", "0\n");
    CHECK_MEMORY(look(), 777, 1);
    end_tree();
}

TEST(pages_of_files_that_can_be_dropped_are_no_usage)
{
    begin_tree();
    lay("self", "0::/a\n4:memory:/b\n");
    lay("a/memory.current", "1000\n");
    lay("a/memory.max", "2000\n");
    lay("a/memory.stat", "anon 500\ninactive_file 300\nactive_file 200\n");
    CHECK_MEMORY(look(), 700, 2000);
    lay("a/memory.stat", "inactive_file 1001\n"); // read a moment later
    CHECK_MEMORY(look(), 0, 2000);
    lay("a/memory.stat", "inactive_file x\nanon\n\n");
    CHECK_MEMORY(look(), 1000, 2000);
    take_away("a/memory.current");
    lay("memory/b/memory.usage_in_bytes", "900\n");
    lay("memory/b/memory.limit_in_bytes", "1000\n");
    lay("memory/b/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n");
    CHECK_MEMORY(look(), 800, 1000);
    end_tree();
}

TEST(a_group_without_a_limit_is_bound_by_the_nearest_above)
{
    begin_tree();
    lay("self", "0::/slice/pod/app\n");
    lay("slice/memory.current", "900\n");
    lay("slice/memory.max", "1000\n");
    lay("slice/pod/memory.current", "50\n");
    lay("slice/pod/memory.max", "max\n");
    lay("slice/pod/app/memory.current", "20\n");
    lay("slice/pod/app/memory.max", "max\n");
    CHECK_MEMORY(look(), 900, 1000);
    lay("slice/pod/memory.max", "60\n");
    CHECK_MEMORY(look(), 50, 60);
    lay("slice/pod/app/memory.max", "30\n");
    CHECK_MEMORY(look(), 20, 30);
    lay("slice/pod/app/memory.max", "max\n");
    lay("slice/pod/memory.max", "max\n");
    lay("slice/memory.max", "max\n");
    CHECK_MEMORY(look(), 20, 0); // none anywhere: the own usage is told
    end_tree();
}

TEST(in_a_container_the_top_is_the_own_group)
{
    static const char *const selves[] = {"0::/\n4:memory:/docker/abc\n", "0::/../sibling\n", "",
                                         "0::/not/to/be/seen\n4:memory:/nor/this\n"};
    for (size_t i = 0; i < sizeof(selves) / sizeof(selves[0]); i++) {
        begin_tree();
        lay("self", selves[i]);
        lay("memory.current", "5\n");
        lay("memory.max", "10\n");
        CHECK_MEMORY(look(), 5, 10);
        end_tree();
        begin_tree();
        lay("self", selves[i]);
        lay("memory/memory.usage_in_bytes", "6\n");
        lay("memory/memory.limit_in_bytes", "11\n");
        CHECK_MEMORY(look(), 6, 11);
        end_tree();
        begin_tree();
        lay("self", selves[i]);
        lay("memory.usage_in_bytes", "7\n"); // the root is the controller's
        lay("memory.limit_in_bytes", "12\n");
        CHECK_MEMORY(look(), 7, 12);
        end_tree();
    }
}

TEST(beside_controllers_of_version_one_the_own_group_counts)
{
    begin_tree();
    lay("self", "4:memory:/own\n0::/own\n");
    lay("unified/own/cgroup.procs", "1\n"); // version 2 is there, without the memory controller
    lay("memory/memory.usage_in_bytes", "9999\n");
    lay("memory/memory.limit_in_bytes", "99999\n");
    lay("memory/own/memory.usage_in_bytes", "5\n");
    lay("memory/own/memory.limit_in_bytes", "10\n");
    CHECK_MEMORY(look(), 5, 10);
    lay("unified/own/memory.current", "6\n");
    lay("unified/own/memory.max", "20\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V2);
    CHECK_MEMORY(memory, 6, 20);
    end_tree();
}

TEST(what_is_absent_is_unknown)
{
    begin_tree();
    CHECK_EQ(look().version, CGROUP_NONE); // nothing at all
    CHECK_UNKNOWN(look());
    lay("self", "0::/a\n4:memory:/a\n");
    CHECK_UNKNOWN(look());
    lay("memory/a/memory.usage_in_bytes", "5\n");
    CHECK_UNKNOWN(look()); // v1 always has a limit
    lay("a/memory.current", "5\n");
    CHECK_MEMORY(look(), 5, 0); // v2 need not
    end_tree();
}

TEST(what_is_malformed_is_unknown)
{
    static const char *const wrong[] = {
        "",      "\n",    "-1\n",      "12x\n", "0x10\n",
        "1e6\n", "MAX\n", "maximum\n", " 5\n",  "99999999999999999999999\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin_tree();
        lay("self", "0::/a\n");
        lay("a/memory.current", wrong[i]);
        lay("a/memory.max", "100\n");
        CHECK_UNKNOWN(look());
        lay("a/memory.current", "5\n");
        lay("a/memory.max", wrong[i]);
        CHECK_UNKNOWN(look());
        lay("a/memory.max", "100\n");
        lay("a/memory.high", wrong[i]);
        CHECK_UNKNOWN(look());
        lay("a/memory.high", "max\n");
        lay("a/memory.pressure", wrong[i]);
        CHECK_MEMORY(look(), 5, 100);
        CHECK(!look().pressure_known);
        end_tree();
    }
}

TEST(a_pressure_of_another_form_is_unknown)
{
    static const char *const wrong[] = {"some avg10=",           "some avg10=1 \n",
                                        "some avg10=1.2 x\n",    "some avg10=1.234 x\n",
                                        "some avg10=101.00 x\n", "some avg10=a.00 x\n",
                                        "some avg10=1.a0 x\n",   "full avg10=1.00 x\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin_tree();
        lay("self", "0::/a\n");
        lay("a/memory.current", "5\n");
        lay("a/memory.pressure", wrong[i]);
        CHECK(look().known);
        CHECK(!look().pressure_known);
        end_tree();
    }
}

TEST(what_is_no_file_does_not_hold_up)
{
    char path[PATH_MAX];
    begin_tree();
    lay("self", "0::/a\n");
    make_path("a/memory.current", path);
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_UNKNOWN(look());
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(mkdir(path, 0700), 0);
    CHECK_UNKNOWN(look());
    end_tree();
}

TEST(lines_of_other_forms_are_passed_over)
{
    begin_tree();
    lay("self", "\n:\n::\n4\n4:memory\n4:memory:\n4:memory:relative\n5:xmemory,memoryx:/b\n"
                "10::/b\n7:cpu,memory,pids:/a\n");
    lay("memory/a/memory.usage_in_bytes", "5\n");
    lay("memory/a/memory.limit_in_bytes", "10\n");
    lay("memory/b/memory.usage_in_bytes", "6\n");
    lay("memory/b/memory.limit_in_bytes", "11\n");
    CHECK_MEMORY(look(), 5, 10);
    end_tree();
}

TEST(a_path_that_is_too_long_is_not_followed)
{
    static char text[3 * PATH_MAX];
    begin_tree();
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "0::/", 4);
    lay("self", text);
    lay("memory.current", "5\n");
    lay("memory.max", "10\n");
    CHECK_MEMORY(look(), 5, 10);
    end_tree();
}

// Whatever this machine has: a group that is found uses memory, and less than its limit.
TEST(the_machines_own_tree_is_read)
{
    struct cgroup_memory memory;
    cgroup_read_memory(CGROUP_ROOT, CGROUP_SELF, &memory);
    if (memory.known) {
        CHECK(memory.version != CGROUP_NONE);
        CHECK(memory.limit == 0 || memory.usage <= memory.limit);
    } else {
        CHECK_UEQ(memory.usage, 0);
    }
}

SUITE("base/cgroup", T(version_two_tells_usage_limit_and_pressure),
      T(the_lesser_of_max_and_high_is_the_limit), T(version_one_tells_usage_and_limit),
      T(pages_of_files_that_can_be_dropped_are_no_usage),
      T(a_group_without_a_limit_is_bound_by_the_nearest_above),
      T(in_a_container_the_top_is_the_own_group),
      T(beside_controllers_of_version_one_the_own_group_counts), T(what_is_absent_is_unknown),
      T(what_is_malformed_is_unknown), T(a_pressure_of_another_form_is_unknown),
      T(what_is_no_file_does_not_hold_up), T(lines_of_other_forms_are_passed_over),
      T(a_path_that_is_too_long_is_not_followed), T(the_machines_own_tree_is_read));
