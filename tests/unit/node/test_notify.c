// SPDX-License-Identifier: Apache-2.0
// A datagram socket stands in for the service manager.
#include "replicator/notify.h"

#include "tests/lib/manager.h"
#include "tests/lib/suite.h"

TEST(the_manager_is_told_in_one_datagram)
{
    char text[64];
    int fd = manager_listen();
    notify_send("READY=1\nSTATUS=ready");
    CHECK(manager_hears(fd, text, sizeof(text)));
    CHECK_STR(text, "READY=1\nSTATUS=ready");
    CHECK(!manager_hears(fd, text, sizeof(text)));
    (void)close(fd);
}
END_TEST

TEST(a_reload_carries_its_time_in_microseconds)
{
    char text[64];
    int fd = manager_listen();
    notify_reloading((struct mono){1234567});
    CHECK(manager_hears(fd, text, sizeof(text)));
    CHECK_STR(text, "RELOADING=1\nMONOTONIC_USEC=1234567");
    (void)close(fd);
}
END_TEST

TEST(nobody_who_listens_is_no_trouble)
{
    CHECK_EQ(unsetenv("NOTIFY_SOCKET"), 0);
    notify_send("READY=1");
    CHECK_EQ(setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1), 0);
    notify_send("READY=1");
    CHECK_EQ(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    notify_send("READY=1");
}
END_TEST

static void set(const char *name, const char *value)
{
    CHECK_EQ(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

TEST(the_watchdog_is_for_whom_it_names)
{
    char self[32], other[32];
    (void)snprintf(self, sizeof(self), "%d", (int)getpid());
    (void)snprintf(other, sizeof(other), "%d", (int)getpid() + 1);
    const struct {
        const char *interval, *pid;
        uint32_t ms;
    } rows[] = {
        {NULL, NULL, 0},
        {NULL, self, 0},
        {"10000000", NULL, 10000},
        {"10000000", self, 10000},
        {"10000000", other, 0},
        {"10000000", "", 0},
        {"1", self, 1}, // never 0, which is "not asked"
        {"0", self, 0},
        {"", self, 0},
        {"-1", self, 0},
        {"10s", self, 0},
        {"9223372036854775807", self, UINT32_MAX},
        {"18446744073709551616", self, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set("WATCHDOG_USEC", rows[i].interval);
        set("WATCHDOG_PID", rows[i].pid);
        ck_assert_msg(notify_watchdog_ms() == rows[i].ms, "row %zu", i);
    }
}
END_TEST

SUITE("node/notify", T(the_manager_is_told_in_one_datagram),
      T(a_reload_carries_its_time_in_microseconds), T(nobody_who_listens_is_no_trouble),
      T(the_watchdog_is_for_whom_it_names));
