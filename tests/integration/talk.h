// SPDX-License-Identifier: Apache-2.0
// A client of the admin API on a blocking socket, for tests that want to see one connection apart from the
// others.  Each wait ends, red, after 10 s; all of it CHECKs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TALK_HOST "mesh.test"

// To 127.0.0.1.  The caller closes it.
int talk_to(uint16_t port);
// `line` is "METHOD PATH"; `headers` lines with their ends, or ""; `body` NULL: none.
void talk_ask(int fd, const char *line, const char *headers, const char *body);
// Reads until `word` has come.  To be freed.
char *talk_until(int fd, const char *word);
void talk_expect(int fd, const char *word);
// Reads one whole answer; its text is to be freed.
char *talk_answer(int fd);
// Has nothing come that was not read yet?
bool talk_is_silent(int fd);
