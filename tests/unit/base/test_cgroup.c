// SPDX-License-Identifier: Apache-2.0
// Trees of small files stand in for the kernel's: each test lays one out in a folder of its own and says what
// is to be read from it.  The last one reads the tree of the machine that it runs on.
#include "base/cgroup.h"

#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root;

static struct cgroup_memory look(void)
{
    char self[64];
    struct cgroup_memory memory;
    (void)snprintf(self, sizeof(self), "%s/self", root);
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
    root = tree_begin();
    tree_lay("self", "0::/pod/app\n");
    tree_lay("pod/app/memory.current", "52428800\n");
    tree_lay("pod/app/memory.max", "104857600\n");
    tree_lay("pod/app/memory.high", "max\n");
    tree_lay("pod/app/memory.pressure", "some avg10=12.34 avg60=1.00 avg300=0.10 total=99\n"
                                        "full avg10=3.00 avg60=0.00 avg300=0.00 total=9\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V2);
    CHECK_MEMORY(memory, 52428800, 104857600);
    CHECK(memory.pressure_known);
    CHECK_UEQ(memory.pressure, 1234);
    tree_end();
}

TEST(the_lesser_of_max_and_high_is_the_limit)
{
    root = tree_begin();
    tree_lay("self", "0::/a\n");
    tree_lay("a/memory.current", "10\n");
    tree_lay("a/memory.max", "1000\n");
    tree_lay("a/memory.high", "800\n");
    CHECK_MEMORY(look(), 10, 800);
    tree_lay("a/memory.high", "1200\n");
    CHECK_MEMORY(look(), 10, 1000);
    tree_lay("a/memory.max", "max\n");
    CHECK_MEMORY(look(), 10, 1200);
    tree_lay("a/memory.high", "max\n");
    CHECK_MEMORY(look(), 10, 0);
    tree_lay("a/memory.max", "0\n"); // no memory at all is a limit
    CHECK_MEMORY(look(), 10, 1);
    CHECK(!look().pressure_known); // PSI is off
    tree_end();
}

TEST(version_one_tells_usage_and_limit)
{
    root = tree_begin();
    tree_lay("self", "12:cpu,cpuacct:/else\n4:memory:/pod/app\n1:name=systemd:/x\n0::/\n");
    tree_lay("memory/pod/app/memory.usage_in_bytes", "777\n");
    tree_lay("memory/pod/app/memory.limit_in_bytes", "1000\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V1);
    CHECK_MEMORY(memory, 777, 1000);
    CHECK(!memory.pressure_known);
    tree_lay("memory/pod/app/memory.limit_in_bytes",
             "9223372036854771712\n"); // "unlimited", pages of 4 KiB
    CHECK_MEMORY(look(), 777, 0);
    tree_lay("memory/pod/app/memory.limit_in_bytes", "9223372036854710272\n"); // of 64 KiB
    CHECK_MEMORY(look(), 777, 0);
    tree_lay("memory/pod/app/memory.limit_in_bytes", "0\n");
    CHECK_MEMORY(look(), 777, 1);
    tree_end();
}

TEST(pages_of_files_that_can_be_dropped_are_no_usage)
{
    root = tree_begin();
    tree_lay("self", "0::/a\n4:memory:/b\n");
    tree_lay("a/memory.current", "1000\n");
    tree_lay("a/memory.max", "2000\n");
    tree_lay("a/memory.stat", "anon 500\ninactive_file 300\nactive_file 200\n");
    CHECK_MEMORY(look(), 700, 2000);
    tree_lay("a/memory.stat", "inactive_file 1001\n"); // read a moment later
    CHECK_MEMORY(look(), 0, 2000);
    tree_lay("a/memory.stat", "inactive_file x\nanon\n\n");
    CHECK_MEMORY(look(), 1000, 2000);
    tree_take_away("a/memory.current");
    tree_lay("memory/b/memory.usage_in_bytes", "900\n");
    tree_lay("memory/b/memory.limit_in_bytes", "1000\n");
    tree_lay("memory/b/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n");
    CHECK_MEMORY(look(), 800, 1000);
    tree_end();
}

TEST(a_group_without_a_limit_is_bound_by_the_nearest_above)
{
    root = tree_begin();
    tree_lay("self", "0::/slice/pod/app\n");
    tree_lay("slice/memory.current", "900\n");
    tree_lay("slice/memory.max", "1000\n");
    tree_lay("slice/pod/memory.current", "50\n");
    tree_lay("slice/pod/memory.max", "max\n");
    tree_lay("slice/pod/app/memory.current", "20\n");
    tree_lay("slice/pod/app/memory.max", "max\n");
    CHECK_MEMORY(look(), 900, 1000);
    tree_lay("slice/pod/memory.max", "60\n");
    CHECK_MEMORY(look(), 50, 60);
    tree_lay("slice/pod/app/memory.max", "30\n");
    CHECK_MEMORY(look(), 20, 30);
    tree_lay("slice/pod/app/memory.max", "max\n");
    tree_lay("slice/pod/memory.max", "max\n");
    tree_lay("slice/memory.max", "max\n");
    CHECK_MEMORY(look(), 20, 0); // none anywhere: the own usage is told
    tree_end();
}

TEST(in_a_container_the_top_is_the_own_group)
{
    static const char *const selves[] = {"0::/\n4:memory:/docker/abc\n", "0::/../sibling\n", "",
                                         "0::/not/to/be/seen\n4:memory:/nor/this\n"};
    for (size_t i = 0; i < sizeof(selves) / sizeof(selves[0]); i++) {
        root = tree_begin();
        tree_lay("self", selves[i]);
        tree_lay("memory.current", "5\n");
        tree_lay("memory.max", "10\n");
        CHECK_MEMORY(look(), 5, 10);
        tree_end();
        root = tree_begin();
        tree_lay("self", selves[i]);
        tree_lay("memory/memory.usage_in_bytes", "6\n");
        tree_lay("memory/memory.limit_in_bytes", "11\n");
        CHECK_MEMORY(look(), 6, 11);
        tree_end();
        root = tree_begin();
        tree_lay("self", selves[i]);
        tree_lay("memory.usage_in_bytes", "7\n"); // the root is the controller's
        tree_lay("memory.limit_in_bytes", "12\n");
        CHECK_MEMORY(look(), 7, 12);
        tree_end();
    }
}

TEST(beside_controllers_of_version_one_the_own_group_counts)
{
    root = tree_begin();
    tree_lay("self", "4:memory:/own\n0::/own\n");
    tree_lay("unified/own/cgroup.procs",
             "1\n"); // version 2 is there, without the memory controller
    tree_lay("memory/memory.usage_in_bytes", "9999\n");
    tree_lay("memory/memory.limit_in_bytes", "99999\n");
    tree_lay("memory/own/memory.usage_in_bytes", "5\n");
    tree_lay("memory/own/memory.limit_in_bytes", "10\n");
    CHECK_MEMORY(look(), 5, 10);
    tree_lay("unified/own/memory.current", "6\n");
    tree_lay("unified/own/memory.max", "20\n");
    struct cgroup_memory memory = look();
    CHECK_EQ(memory.version, CGROUP_V2);
    CHECK_MEMORY(memory, 6, 20);
    tree_end();
}

TEST(what_is_absent_is_unknown)
{
    root = tree_begin();
    CHECK_EQ(look().version, CGROUP_NONE); // nothing at all
    CHECK_UNKNOWN(look());
    tree_lay("self", "0::/a\n4:memory:/a\n");
    CHECK_UNKNOWN(look());
    tree_lay("memory/a/memory.usage_in_bytes", "5\n");
    CHECK_UNKNOWN(look()); // v1 always has a limit
    tree_lay("a/memory.current", "5\n");
    CHECK_MEMORY(look(), 5, 0); // v2 need not
    tree_end();
}

TEST(what_is_malformed_is_unknown)
{
    static const char *const wrong[] = {
        "",      "\n",    "-1\n",      "12x\n", "0x10\n",
        "1e6\n", "MAX\n", "maximum\n", " 5\n",  "99999999999999999999999\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        root = tree_begin();
        tree_lay("self", "0::/a\n");
        tree_lay("a/memory.current", wrong[i]);
        tree_lay("a/memory.max", "100\n");
        CHECK_UNKNOWN(look());
        tree_lay("a/memory.current", "5\n");
        tree_lay("a/memory.max", wrong[i]);
        CHECK_UNKNOWN(look());
        tree_lay("a/memory.max", "100\n");
        tree_lay("a/memory.high", wrong[i]);
        CHECK_UNKNOWN(look());
        tree_lay("a/memory.high", "max\n");
        tree_lay("a/memory.pressure", wrong[i]);
        CHECK_MEMORY(look(), 5, 100);
        CHECK(!look().pressure_known);
        tree_end();
    }
}

TEST(a_pressure_of_another_form_is_unknown)
{
    static const char *const wrong[] = {"some avg10=",           "some avg10=1 \n",
                                        "some avg10=1.2 x\n",    "some avg10=1.234 x\n",
                                        "some avg10=101.00 x\n", "some avg10=a.00 x\n",
                                        "some avg10=1.a0 x\n",   "full avg10=1.00 x\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        root = tree_begin();
        tree_lay("self", "0::/a\n");
        tree_lay("a/memory.current", "5\n");
        tree_lay("a/memory.pressure", wrong[i]);
        CHECK(look().known);
        CHECK(!look().pressure_known);
        tree_end();
    }
}

TEST(what_is_no_file_does_not_hold_up)
{
    root = tree_begin();
    tree_lay("self", "0::/a\n");
    CHECK_EQ(mkfifo(tree_path("a/memory.current"), 0600), 0);
    CHECK_UNKNOWN(look());
    tree_take_away("a/memory.current");
    CHECK_EQ(mkdir(tree_path("a/memory.current"), 0700), 0);
    CHECK_UNKNOWN(look());
    tree_end();
}

TEST(lines_of_other_forms_are_passed_over)
{
    root = tree_begin();
    tree_lay("self", "\n:\n::\n4\n4:memory\n4:memory:\n4:memory:relative\n5:xmemory,memoryx:/b\n"
                     "10::/b\n7:cpu,memory,pids:/a\n");
    tree_lay("memory/a/memory.usage_in_bytes", "5\n");
    tree_lay("memory/a/memory.limit_in_bytes", "10\n");
    tree_lay("memory/b/memory.usage_in_bytes", "6\n");
    tree_lay("memory/b/memory.limit_in_bytes", "11\n");
    CHECK_MEMORY(look(), 5, 10);
    tree_end();
}

TEST(a_path_that_is_too_long_is_not_followed)
{
    static char text[3 * PATH_MAX];
    root = tree_begin();
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "0::/", 4);
    tree_lay("self", text);
    tree_lay("memory.current", "5\n");
    tree_lay("memory.max", "10\n");
    CHECK_MEMORY(look(), 5, 10);
    tree_end();
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
