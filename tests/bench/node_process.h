// SPDX-License-Identifier: Apache-2.0
// A real daemon as a child of the benchmark, and one connection to its admin API over its unix socket.
//
//     node_process_start --> node_process_await_ready --> node_http_open --> send, await ...
//
// Invariant: the daemon ends with the benchmark, whatever happens to that.  Whatever goes wrong ends the
// program.  Where the daemon is: $MESHPULSE, else build/release-gcc/meshpulse.  One thread.
#pragma once

#include "base/span.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct node_process {
    pid_t pid;
    char name[16];
    char socket[128]; // of the admin API
    char log[128];
};

struct node_http {
    int fd;
    char *in;
    size_t in_len;
};

// `dir`: where its socket and its log go, and where `mesh.yaml` is written; `url`: of the stream.
void node_process_start(struct node_process *node, const char *name, const char *dir,
                        const char *url);
void node_process_stop(struct node_process *node);
void node_process_await_ready(const struct node_process *node);

void node_http_open(struct node_http *http, const struct node_process *node);
void node_http_close(struct node_http *http);
void node_http_send(struct node_http *http, struct span bytes);
// Reads until `text` has come, and forgets everything that has come by then.
void node_http_await(struct node_http *http, const char *text);
