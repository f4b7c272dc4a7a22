// SPDX-License-Identifier: Apache-2.0
// What an HTTP server on libevent's own evhttp can do at most: one constant answer, one thread.  The measure
// for `make bench-api`; nothing of it is in the product.
//
//     evhttp PORT FILE     answers every request with the file, on 127.0.0.1
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX 65536

struct body {
    char text[BODY_MAX];
    size_t len;
};

static void answer(struct evhttp_request *request, void *arg)
{
    const struct body *body = arg;
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/json");
    evbuffer_add_reference(out, body->text, body->len, NULL, NULL);
    evhttp_send_reply(request, 200, "OK", NULL);
}

static int read_body(const char *path, struct body *body)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    body->len = fread(body->text, 1, sizeof(body->text), file);
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    static struct body body;
    if (argc != 3 || read_body(argv[2], &body) != 0) {
        fputs("usage: evhttp PORT FILE\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct evhttp *http = base == NULL ? NULL : evhttp_new(base);
    unsigned short port = (unsigned short)strtoul(argv[1], NULL, 10);
    if (http == NULL || evhttp_bind_socket(http, "127.0.0.1", port) != 0) {
        perror("evhttp");
        return 1;
    }
    evhttp_set_gencb(http, answer, &body);
    return event_base_dispatch(base) < 0;
}
