// SPDX-License-Identifier: Apache-2.0
// A datagram socket that stands in for the service manager, and what it was told.
#pragma once

#include "tests/lib/suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Sets NOTIFY_SOCKET.  An abstract socket: it leaves nothing behind.  The caller closes it.
static inline int manager_listen(void)
{
    char name[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(name, sizeof(name), "@meshpulse-test-%d", (int)getpid());
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    CHECK_EQ(bind(fd, (const struct sockaddr *)&address, address_len), 0);
    CHECK_EQ(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

// Takes one datagram; false: there is none.
static inline bool manager_hears(int fd, char *ret_text, size_t cap)
{
    ssize_t len = recv(fd, ret_text, cap - 1, MSG_DONTWAIT);
    ret_text[len > 0 ? len : 0] = '\0';
    return len > 0;
}
