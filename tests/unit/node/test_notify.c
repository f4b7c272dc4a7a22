// SPDX-License-Identifier: Apache-2.0
// A datagram socket stands in for the service manager.
#include "replicator/notify.h"

#include "tests/lib/suite.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// An abstract socket: it leaves nothing behind.
static int listen_as(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    CHECK_EQ(bind(fd, (const struct sockaddr *)&address, address_len), 0);
    return fd;
}

TEST(the_manager_is_told_in_one_datagram)
{
    char name[64];
    char text[64] = "";
    (void)snprintf(name, sizeof(name), "@meshpulse-test-%d", (int)getpid());
    int fd = listen_as(name);
    CHECK_EQ(setenv("NOTIFY_SOCKET", name, 1), 0);
    notify_send("READY=1");
    CHECK_EQ(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
    CHECK_STR(text, "READY=1");
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

SUITE("node/notify", T(the_manager_is_told_in_one_datagram), T(nobody_who_listens_is_no_trouble));
