// SPDX-License-Identifier: Apache-2.0
// The raw look at an HTTP/1 request before the parser sees it.  It only refuses; what a request
// means is decided by the parser's values (http1.c).  llhttp lets obs-fold, bare LF and unbounded
// chunk extensions through, and two readers that disagree about where a request ends are a
// smuggling hole.
//
//     scan:    [CRLF] method SP target SP HTTP/1.x CRLF *(name ":" value CRLF) CRLF
//     chunks:  *(1*8HEXDIG [extension] CRLF data CRLF) 1*8"0" CRLF *(trailer CRLF) CRLF
//
// Both are byte-wise state machines that go on where they stopped, so a request may come in pieces
// of any size and each byte is looked at once; a bad byte is refused when it comes, not at a
// deadline. Pure, any thread.  Read next: http1.h.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_HEAD_MAX 16384 // request line and headers, in bytes
#define HTTP1_HEADERS_MAX 100
#define HTTP1_BODY_MAX 1048576  // after the chunks have been taken apart
#define HTTP1_EXTENSION_MAX 256 // of one chunk
#define HTTP1_TRAILERS_MAX 4096

enum http1_problem {
    HTTP1_NO_PROBLEM,
    HTTP1_BAD_REQUEST,       // 400
    HTTP1_HEADERS_TOO_LARGE, // 431
    HTTP1_TOO_LARGE          // 413
};

enum http1_progress { HTTP1_MORE, HTTP1_DONE, HTTP1_REFUSED };

struct http1_scan {
    uint8_t state;
    uint32_t len; // bytes looked at
    uint32_t header_count;
    uint32_t start; // of the request line: 0, or 2 after a leading CRLF
    uint32_t method_len;
    uint32_t target_start, target_len;
    uint32_t version_len; // bytes of "HTTP/1.x" seen
    bool version_0;       // HTTP/1.0
    enum http1_problem problem;
    const char *text; // of a refusal: a literal
};

void http1_scan_init(struct http1_scan *scan);
// `data` begins at the request's first byte and holds at least what was looked at before.
// HTTP1_DONE: scan->len is the length of the section with its empty line.
enum http1_progress http1_scan_feed(struct http1_scan *scan, struct span data);

struct http1_chunks {
    uint8_t state;
    uint8_t digits;
    uint32_t extension_len;
    uint32_t trailers_len;
    uint64_t left; // data bytes of the current chunk still to come
    uint64_t body_len;
    enum http1_problem problem;
    const char *text;
};

void http1_chunks_init(struct http1_chunks *chunks);
// Looks at `data`, which follows what was looked at before; *ret_len says how much of it belongs to
// this body (all of it unless done).
enum http1_progress http1_chunks_feed(struct http1_chunks *chunks, struct span data,
                                      size_t *ret_len);

// RFC 9110 token: names of headers and methods.
bool http1_is_token(struct span text);
