// SPDX-License-Identifier: Apache-2.0
// The raw client that the bars are measured against: a blocking socket and RESP by hand, as little as a C
// program can do to talk to Redis.
//
//     raw_command(&raw, 4); raw_arg(...) x 4; ... many commands ...; raw_flush(&raw); raw_skip(&raw) each
//
// Invariant: nothing is sent before raw_flush, and replies are read in the order of the commands.
// Whatever goes wrong ends the program.  One thread.
#pragma once

#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct raw {
    int fd;
    char *out, *in;
    size_t out_len, out_cap;
    size_t in_at, in_len, in_cap;
    uint64_t bytes_out, bytes_in;
};

struct raw_token {
    char type;        // ':' '+' '$' '*'
    int64_t number;   // of ':'; the count of '*' (-1: nil)
    struct span text; // of '+' and '$'; borrowed until the next read
};

void raw_open(struct raw *raw, const char *socket_path);
void raw_close(struct raw *raw);

void raw_command(struct raw *raw, size_t words);
void raw_arg(struct raw *raw, struct span word);
void raw_arg_str(struct raw *raw, const char *word);
void raw_arg_u64(struct raw *raw, uint64_t number);
void raw_flush(struct raw *raw);

// The next token; the elements of an array follow as tokens of their own.
struct raw_token raw_next(struct raw *raw);
// Reads one whole reply and forgets it.
void raw_skip(struct raw *raw);

// One command of blank-separated words, sent, its reply a text.
struct span raw_ask(struct raw *raw, const char *words);
// CPU seconds that the server has used, user and system.
double raw_server_cpu_us(struct raw *raw);
