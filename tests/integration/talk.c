// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/talk.h"

#include "base/address.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WAIT_MS 10000
#define ANSWER_MAX (4 * 1024 * 1024)

int talk_to(uint16_t port)
{
    struct address address;
    CHECK_OK(address_parse_ip(SPAN_LIT("127.0.0.1"), port, &address));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_OK(connect(fd, (const struct sockaddr *)&address.storage, address.len));
    return fd;
}

void talk_ask(int fd, const char *line, const char *headers, const char *body)
{
    char text[1024];
    int len = snprintf(text, sizeof(text),
                       "%s HTTP/1.1\r\nHost: " TALK_HOST "\r\n%sContent-Length: %zu\r\n%s\r\n%s",
                       line, headers, body == NULL ? 0 : strlen(body),
                       body == NULL ? "" : "Content-Type: application/json\r\n",
                       body == NULL ? "" : body);
    CHECK_EQ(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

// Reads at most `most` bytes more.
static size_t read_on(int fd, char *text, size_t len, size_t most)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&ready, 1, WAIT_MS) == 1, "nothing comes after: %.2000s", text);
    ssize_t got = recv(fd, text + len, most, 0);
    ck_assert_msg(got > 0, "the end after: %.2000s", text);
    return (size_t)got;
}

char *talk_until(int fd, const char *word)
{
    char *text = calloc(1, ANSWER_MAX);
    size_t len = 0;
    CHECK(text != NULL);
    while (strstr(text, word) == NULL && len < ANSWER_MAX - 1) {
        len += read_on(fd, text, len, ANSWER_MAX - 1 - len);
    }
    return text;
}

void talk_expect(int fd, const char *word)
{
    free(talk_until(fd, word));
}

char *talk_answer(int fd)
{
    char *text = calloc(1, ANSWER_MAX);
    size_t len = 0;
    CHECK(text != NULL);
    while (strstr(text, "\r\n\r\n") == NULL) {
        len += read_on(fd, text, len, 1);
    }
    const char *length = strstr(text, "Content-Length: ");
    CHECK(length != NULL);
    size_t whole = len + strtoul(length + strlen("Content-Length: "), NULL, 10);
    CHECK(whole < ANSWER_MAX);
    while (len < whole) {
        len += read_on(fd, text, len, whole - len);
    }
    return text;
}

bool talk_is_silent(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 0;
}
