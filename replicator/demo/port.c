// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_free(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    bool bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return bound;
}

enum err port_find(uint16_t from, uint16_t *ret_port)
{
    uint16_t port = from;
    for (int tried = 0; tried <= PORT_LAST - PORT_FIRST; tried++) {
        if (port < PORT_FIRST || port > PORT_LAST) {
            port = PORT_FIRST;
        }
        if (is_free(port)) {
            *ret_port = port;
            return ERR_OK;
        }
        port++;
    }
    return ERR_BUSY;
}

uint16_t port_start(void)
{
    uint32_t spread = (uint32_t)getpid() * 61U % (PORT_LAST - PORT_FIRST);
    return (uint16_t)(PORT_FIRST + spread);
}
