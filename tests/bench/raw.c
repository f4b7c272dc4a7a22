// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/raw.h"

#include "tests/bench/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_LEN (1u << 20)

void raw_open(struct raw *raw, const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    *raw = (struct raw){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .in_cap = IN_LEN};
    raw->in = malloc(raw->in_cap);
    if (raw->in == NULL ||
        connect(raw->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        report_give_up("no connection to the server");
    }
}

void raw_close(struct raw *raw)
{
    close(raw->fd);
    free(raw->in);
    free(raw->out);
}

// --- commands

static void append(struct raw *raw, const char *bytes, size_t len)
{
    if (raw->out_cap - raw->out_len < len) {
        raw->out_cap = (raw->out_cap + len) * 2;
        raw->out = realloc(raw->out, raw->out_cap);
        if (raw->out == NULL) {
            report_give_up("no memory");
        }
    }
    memcpy(raw->out + raw->out_len, bytes, len);
    raw->out_len += len;
}

static void append_head(struct raw *raw, char type, size_t number)
{
    char text[32];
    append(raw, text, (size_t)snprintf(text, sizeof(text), "%c%zu\r\n", type, number));
}

void raw_command(struct raw *raw, size_t words)
{
    append_head(raw, '*', words);
}

void raw_arg(struct raw *raw, struct span word)
{
    append_head(raw, '$', word.len);
    append(raw, word.ptr, word.len);
    append(raw, "\r\n", 2);
}

void raw_arg_str(struct raw *raw, const char *word)
{
    raw_arg(raw, span_str(word));
}

void raw_arg_u64(struct raw *raw, uint64_t number)
{
    char text[32];
    raw_arg(raw, span_of(text, (size_t)snprintf(text, sizeof(text), "%ju", (uintmax_t)number)));
}

void raw_flush(struct raw *raw)
{
    size_t sent = 0;
    while (sent < raw->out_len) {
        ssize_t n = send(raw->fd, raw->out + sent, raw->out_len - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            report_give_up("the server went away");
        }
        sent += (size_t)n;
    }
    raw->bytes_out += sent;
    raw->out_len = 0;
}

// --- replies

static void read_more(struct raw *raw)
{
    if (raw->in_at > 0) {
        memmove(raw->in, raw->in + raw->in_at, raw->in_len - raw->in_at);
        raw->in_len -= raw->in_at;
        raw->in_at = 0;
    }
    if (raw->in_len == raw->in_cap) {
        report_give_up("a reply of unforeseen length");
    }
    ssize_t n = read(raw->fd, raw->in + raw->in_len, raw->in_cap - raw->in_len);
    if (n <= 0) {
        report_give_up("the server went away");
    }
    raw->in_len += (size_t)n;
    raw->bytes_in += (uint64_t)n;
}

static struct span read_line(struct raw *raw)
{
    for (;;) {
        const char *start = raw->in + raw->in_at;
        const char *end = memchr(start, '\n', raw->in_len - raw->in_at);
        if (end != NULL) {
            raw->in_at += (size_t)(end - start) + 1;
            return span_of(start, (size_t)(end - start) - 1);
        }
        read_more(raw);
    }
}

static int64_t number_of(struct span text)
{
    int64_t value = 0;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    for (size_t i = negative ? 1 : 0; i < text.len; i++) {
        value = value * 10 + (text.ptr[i] - '0');
    }
    return negative ? -value : value;
}

struct raw_token raw_next(struct raw *raw)
{
    struct span line = read_line(raw);
    struct raw_token token = {.type = line.ptr[0], .text = span_of(line.ptr + 1, line.len - 1)};
    if (token.type == '-') {
        fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
        report_give_up("the server refused a command");
    }
    if (token.type == '+') {
        return token;
    }
    token.number = number_of(token.text);
    token.text = SPAN_NONE;
    if (token.type == '$' && token.number >= 0) {
        size_t len = (size_t)token.number;
        while (raw->in_len - raw->in_at < len + 2) {
            read_more(raw);
        }
        token.text = span_of(raw->in + raw->in_at, len);
        raw->in_at += len + 2;
    }
    return token;
}

void raw_skip(struct raw *raw)
{
    for (int64_t left = 1; left > 0; left--) {
        struct raw_token token = raw_next(raw);
        left += token.type == '*' && token.number > 0 ? token.number : 0;
    }
}

struct span raw_ask(struct raw *raw, const char *words)
{
    append(raw, words, strlen(words));
    append(raw, "\r\n", 2);
    raw_flush(raw);
    return raw_next(raw).text;
}

static double field_s(struct span info, const char *name)
{
    const char *at = memmem(info.ptr, info.len, name, strlen(name));
    return at == NULL ? 0 : strtod(at + strlen(name), NULL);
}

double raw_server_cpu_us(struct raw *raw)
{
    struct span info = raw_ask(raw, "INFO cpu");
    return (field_s(info, "used_cpu_user:") + field_s(info, "used_cpu_sys:")) * 1e6;
}
