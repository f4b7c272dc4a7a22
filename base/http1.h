// SPDX-License-Identifier: Apache-2.0
// Reads HTTP/1.0 and HTTP/1.1 requests out of bytes: no socket, no clock.
//
//     feed --> MORE ... --> [CONTINUE: send "100 Continue"] --> MORE ... --> READY --> reset --> feed
//                      \--> REFUSED: answer the problem, close
//
// The header section is scanned raw first (http1_scan.h); then llhttp parses it, and every decision
// (method and framing, keep-alive) follows llhttp's values; where the two disagree the request is
// refused. Invariants: a request that comes out has one meaning for every reader of the RFC:
// exactly one Host (1.1), at most one of Content-Length and "Transfer-Encoding: chunked", no
// obs-fold, no control bytes; its header section has at most 16 KiB and 100 headers, its body at
// most 1 MiB. One thread at a time.  Read next: http1_scan.h, http1_server.h.
#pragma once

#include "base/err.h"
#include "base/http1_scan.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct http1_header {
    struct span name;
    struct span value; // without the white space around it
};

// Borrows from the parser: valid until http1_parser_reset or _free.
struct http1_request {
    struct span method;    // any token, as sent
    struct span target;    // as sent
    struct span authority; // of an absolute-form target; empty: origin form
    struct span path;      // raw, percent-encoded; begins with "/", or is "*" (OPTIONS only)
    struct span query;     // raw, after the "?"; ptr NULL when there is no "?"
    struct span host;      // value of Host; ptr NULL when there is none (1.0 only)
    struct span body;
    const struct http1_header *headers;
    size_t header_count;
    bool version_0; // HTTP/1.0
    bool keep_alive;
    bool head; // method HEAD
};

// The first header of that name (compared without case).  false: none.
bool http1_request_header(const struct http1_request *request, const char *name,
                          struct span *ret_value);
// How many there are of that name.
size_t http1_request_header_count(const struct http1_request *request, const char *name);

enum http1_state {
    HTTP1_NEED_MORE, // everything given was used, or the header section is not complete yet
    HTTP1_CONTINUE,  // the client waits for "100 Continue" before it sends the body; feed on
    HTTP1_READY,     // a request is complete: http1_parser_request
    HTTP1_MALFORMED, // http1_parser_problem; the connection must end
    HTTP1_NO_MEMORY  // the connection must end
};

struct http1_parser;

// ERR_NOMEM.  *gives* it.
enum err http1_parser_new(struct http1_parser **ret_parser) MUST_USE;
void http1_parser_free(struct http1_parser *parser);
// Ready for the next request.
void http1_parser_reset(struct http1_parser *parser);

// Goes on with `data`: the bytes that follow what was consumed so far.  *ret_len: how many of them
// it has used; the caller drops those and shows the rest again, with more, at the next call.
enum http1_state http1_parser_feed(struct http1_parser *parser, struct span data, size_t *ret_len);

// Is a request begun (a byte of it seen, even if not yet used)?
bool http1_parser_begun(const struct http1_parser *parser);
// Is its header section complete?
bool http1_parser_in_body(const struct http1_parser *parser);

// After HTTP1_READY.
const struct http1_request *http1_parser_request(const struct http1_parser *parser);
// After HTTP1_MALFORMED; `ret_text` is a literal.
enum http1_problem http1_parser_problem(const struct http1_parser *parser, const char **ret_text);
