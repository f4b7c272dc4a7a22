// SPDX-License-Identifier: Apache-2.0
#include "base/http1.h"

#include "base/assert.h"
#include "base/buf.h"

#include <llhttp.h>
#include <stdlib.h>
#include <strings.h>

enum parser_phase { PHASE_HEAD, PHASE_BODY, PHASE_READY, PHASE_OVER };

struct http1_parser {
    enum parser_phase phase;
    struct http1_scan scan;
    struct http1_chunks chunks;
    llhttp_t llhttp;
    llhttp_settings_t settings;
    struct buf head; // a copy of the header section: what the request's spans point into
    struct buf body;
    struct http1_header headers[HTTP1_HEADERS_MAX];
    size_t header_count;
    struct http1_request request;
    bool chunked;
    bool complete; // llhttp says so
    bool no_memory;
    uint64_t content_len;
    enum http1_problem problem;
    const char *text;
};

// --- what llhttp calls

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http1_parser *parser = llhttp->data;
    if (parser->phase != PHASE_HEAD) {
        return 0; // a trailer: dropped
    }
    ASSERT(parser->header_count < HTTP1_HEADERS_MAX); // the scan has counted them
    parser->headers[parser->header_count++] = (struct http1_header){span_of(at, len), SPAN_LIT("")};
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http1_parser *parser = llhttp->data;
    if (parser->phase == PHASE_HEAD) {
        ASSERT(parser->header_count > 0);
        while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
            len--;
        }
        parser->headers[parser->header_count - 1].value = span_of(at, len);
    }
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED; // framing is judged before a byte of the body is looked at
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http1_parser *parser = llhttp->data;
    buf_put(&parser->body, span_of(at, len));
    return 0;
}

static int on_complete(llhttp_t *llhttp)
{
    struct http1_parser *parser = llhttp->data;
    parser->complete = true;
    return HPE_PAUSED; // the next request waits until this one has its answer
}

// --- life

enum err http1_parser_new(struct http1_parser **ret_parser)
{
    struct http1_parser *parser = malloc(sizeof(*parser));
    if (parser == NULL) {
        return ERR_NOMEM;
    }
    memset(parser, 0, sizeof(*parser));
    buf_init(&parser->head, HTTP1_HEAD_MAX);
    buf_init(&parser->body, HTTP1_BODY_MAX);
    llhttp_settings_init(&parser->settings);
    parser->settings.on_header_field = on_field;
    parser->settings.on_header_value = on_value;
    parser->settings.on_headers_complete = on_headers_complete;
    parser->settings.on_body = on_body;
    parser->settings.on_message_complete = on_complete;
    http1_parser_reset(parser);
    *ret_parser = parser;
    return ERR_OK;
}

void http1_parser_free(struct http1_parser *parser)
{
    if (parser != NULL) {
        buf_fini(&parser->head);
        buf_fini(&parser->body);
        free(parser);
    }
}

void http1_parser_reset(struct http1_parser *parser)
{
    parser->phase = PHASE_HEAD;
    http1_scan_init(&parser->scan);
    http1_chunks_init(&parser->chunks);
    buf_reset(&parser->head);
    // A large body must not stay with a connection that idles.
    buf_fini(&parser->body);
    buf_init(&parser->body, HTTP1_BODY_MAX);
    parser->header_count = 0;
    parser->request = (struct http1_request){.header_count = 0};
    parser->chunked = false;
    parser->complete = false;
    parser->content_len = 0;
    parser->problem = HTTP1_NO_PROBLEM;
    parser->text = "";
}

static enum http1_state malformed(struct http1_parser *parser, enum http1_problem problem,
                                  const char *text)
{
    parser->phase = PHASE_OVER;
    parser->problem = problem;
    parser->text = text;
    return HTTP1_MALFORMED;
}

static enum http1_state bad(struct http1_parser *parser, const char *text)
{
    return malformed(parser, HTTP1_BAD_REQUEST, text);
}

// --- headers

static bool name_is(struct span name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp(name.ptr, wanted, name.len) == 0;
}

bool http1_request_header(const struct http1_request *request, const char *name,
                          struct span *ret_value)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (name_is(request->headers[i].name, name)) {
            *ret_value = request->headers[i].value;
            return true;
        }
    }
    return false;
}

size_t http1_request_header_count(const struct http1_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        count += name_is(request->headers[i].name, name);
    }
    return count;
}

// --- the request line

// llhttp knows a fixed list of methods and refuses every other; these it must see as they are because
// they are in use here.  Any other is shown as POST, which has the same framing, so that an unknown
// method gets its 405 from the router instead of a 400, and CONNECT no tunnel.
static bool shown_as_is(struct span method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (span_eq_str(method, known[i])) {
            return true;
        }
    }
    return false;
}

static bool is_host(struct span host)
{
    size_t end;
    size_t at = 0;
    if (host.len > 0 && host.ptr[0] == '[') {
        const char *close = memchr(host.ptr, ']', host.len);
        if (close == NULL) {
            return false;
        }
        end = (size_t)(close - host.ptr) + 1;
        for (at = 1; at + 1 < end; at++) {
            if (strchr("0123456789abcdefABCDEF:.", host.ptr[at]) == NULL) {
                return false;
            }
        }
    } else {
        for (at = 0; at < host.len && host.ptr[at] != ':'; at++) {
            struct span byte = span_of(host.ptr + at, 1);
            if (host.ptr[at] == '#' || host.ptr[at] == '^' || host.ptr[at] == '`' ||
                host.ptr[at] == '|' ||
                (!http1_is_token(byte) && strchr("()*,;=", host.ptr[at]) == NULL)) {
                return false;
            }
        }
        end = at;
    }
    if (end == host.len) {
        return true;
    }
    for (at = end + 1; at < host.len; at++) {
        if (host.ptr[at] < '0' || host.ptr[at] > '9') {
            return false;
        }
    }
    return host.ptr[end] == ':' && host.len - end - 1 <= 5;
}

static bool starts_with(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

// Origin form, absolute form, or "*" for OPTIONS.  NULL, or what is wrong.
static const char *split_target(struct http1_request *request)
{
    struct span rest = request->target;
    if (span_eq_str(rest, "*")) {
        request->path = rest;
        return span_eq_str(request->method, "OPTIONS") ? NULL : "the target * belongs to OPTIONS";
    }
    if (rest.ptr[0] != '/') {
        size_t scheme = starts_with(rest, "http://") ? 7 : starts_with(rest, "https://") ? 8 : 0;
        if (scheme == 0) {
            return "the target is neither a path nor an http URI";
        }
        size_t end = scheme;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') {
            end++;
        }
        request->authority = span_of(rest.ptr + scheme, end - scheme);
        if (request->authority.len == 0 || !is_host(request->authority)) {
            return "the target's authority is no host";
        }
        rest = span_of(rest.ptr + end, rest.len - end);
    }
    const char *mark = rest.len == 0 ? NULL : memchr(rest.ptr, '?', rest.len);
    request->path = rest;
    if (mark != NULL) {
        request->path.len = (size_t)(mark - rest.ptr);
        request->query = span_of(mark + 1, rest.len - request->path.len - 1);
    }
    if (request->path.len == 0) {
        request->path = SPAN_LIT("/");
    }
    return NULL;
}

// --- framing

// NULL, or what is wrong.
static const char *check_framing(struct http1_parser *parser)
{
    const struct http1_request *request = &parser->request;
    struct span length = SPAN_NONE;
    struct span coding = SPAN_NONE;
    size_t lengths = http1_request_header_count(request, "content-length");
    size_t codings = http1_request_header_count(request, "transfer-encoding");
    if (lengths + codings > 1) {
        return "more than one of Content-Length and Transfer-Encoding";
    }
    if (http1_request_header(request, "content-length", &length)) {
        for (size_t i = 0; i < length.len; i++) {
            if (length.ptr[i] < '0' || length.ptr[i] > '9') {
                return "Content-Length is no number";
            }
        }
        if (length.len < 1 || length.len > 19) {
            return "Content-Length is no number of 1 to 19 digits";
        }
    }
    if (http1_request_header(request, "transfer-encoding", &coding)) {
        if (request->version_0) {
            return "Transfer-Encoding in HTTP/1.0";
        }
        if (!name_is(coding, "chunked")) {
            return "a Transfer-Encoding other than chunked";
        }
    }
    // Ours and llhttp's reading must be one.
    parser->chunked = (parser->llhttp.flags & F_CHUNKED) != 0;
    parser->content_len =
        (parser->llhttp.flags & F_CONTENT_LENGTH) != 0 ? parser->llhttp.content_length : 0;
    if (parser->chunked != (codings == 1) ||
        ((parser->llhttp.flags & F_CONTENT_LENGTH) != 0) != (lengths == 1)) {
        return "the framing has two readings";
    }
    return NULL;
}

static const char *check_host(struct http1_request *request)
{
    size_t hosts = http1_request_header_count(request, "host");
    if (hosts > 1 || (hosts == 0 && !request->version_0)) {
        return hosts > 1 ? "more than one Host" : "no Host";
    }
    if (hosts == 1) {
        (void)http1_request_header(request, "host", &request->host);
        if (!is_host(request->host)) {
            return "Host is no host";
        }
    }
    return NULL;
}

// --- the header section

// Shows llhttp the whole section; it must stop exactly at its end.
static bool run_llhttp(struct http1_parser *parser, struct span section)
{
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &parser->settings);
    parser->llhttp.data = parser;
    const char *from = section.ptr + parser->scan.start;
    size_t len = section.len - parser->scan.start;
    if (!shown_as_is(parser->request.method)) {
        if (llhttp_execute(&parser->llhttp, "POST", 4) != HPE_OK) {
            return false;
        }
        from += parser->scan.method_len;
        len -= parser->scan.method_len;
    }
    llhttp_errno_t result = llhttp_execute(&parser->llhttp, from, len);
    if (result != HPE_PAUSED) {
        return false;
    }
    // Paused after the empty line; what is left would be a body, and there is none in the section.
    const char *stopped = llhttp_get_error_pos(&parser->llhttp);
    return stopped == section.ptr + section.len || stopped == section.ptr + section.len - 1;
}

static enum http1_state after_head(struct http1_parser *parser)
{
    struct span expect;
    parser->phase = PHASE_BODY;
    if (parser->content_len > HTTP1_BODY_MAX) {
        return malformed(parser, HTTP1_TOO_LARGE, "a body over 1 MiB");
    }
    bool waits = !parser->request.version_0 &&
                 http1_request_header(&parser->request, "expect", &expect) &&
                 name_is(expect, "100-continue") && (parser->chunked || parser->content_len > 0);
    return waits ? HTTP1_CONTINUE : HTTP1_NEED_MORE;
}

static enum http1_state read_head(struct http1_parser *parser, struct span section)
{
    struct http1_request *request = &parser->request;
    buf_put(&parser->head, section);
    if (parser->head.err != ERR_OK) {
        parser->phase = PHASE_OVER;
        return HTTP1_NO_MEMORY;
    }
    struct span copy = buf_span(&parser->head);
    request->method = span_of(copy.ptr + parser->scan.start, parser->scan.method_len);
    request->target = span_of(copy.ptr + parser->scan.target_start, parser->scan.target_len);
    request->head = span_eq_str(request->method, "HEAD");
    const char *wrong = split_target(request);
    if (wrong != NULL) {
        return bad(parser, wrong);
    }
    if (!run_llhttp(parser, copy)) {
        const char *reason = llhttp_get_error_reason(&parser->llhttp);
        return bad(parser, reason != NULL ? reason : "no HTTP request");
    }
    request->headers = parser->headers;
    request->header_count = parser->header_count;
    request->version_0 = parser->llhttp.http_major == 1 && parser->llhttp.http_minor == 0;
    if (request->version_0 != parser->scan.version_0 ||
        parser->header_count != parser->scan.header_count) {
        return bad(parser, "the header section has two readings");
    }
    wrong = check_host(request);
    if (wrong == NULL) {
        wrong = check_framing(parser);
    }
    return wrong != NULL ? bad(parser, wrong) : after_head(parser);
}

static enum http1_state feed_head(struct http1_parser *parser, struct span data, size_t *ret_len)
{
    switch (http1_scan_feed(&parser->scan, data)) {
    case HTTP1_MORE:
        *ret_len = 0; // the scan goes on where it stopped; the copy is made once, at the end
        return HTTP1_NEED_MORE;
    case HTTP1_REFUSED:
        *ret_len = parser->scan.len;
        return malformed(parser, parser->scan.problem, parser->scan.text);
    case HTTP1_DONE:
        break;
    }
    *ret_len = parser->scan.len;
    return read_head(parser, span_of(data.ptr, parser->scan.len));
}

// --- the body

static enum http1_state finish(struct http1_parser *parser)
{
    parser->phase = PHASE_READY;
    parser->request.body = buf_span(&parser->body);
    // Asked here: only now llhttp has seen all that it decides by.
    parser->request.keep_alive = llhttp_should_keep_alive(&parser->llhttp) != 0;
    return HTTP1_READY;
}

// llhttp reads exactly the bytes that the scan allowed.
static enum http1_state run_body(struct http1_parser *parser, struct span data, bool last)
{
    if (llhttp_get_errno(&parser->llhttp) == HPE_PAUSED) {
        llhttp_resume(&parser->llhttp);
    }
    llhttp_errno_t result = llhttp_execute(&parser->llhttp, data.ptr, data.len);
    if (parser->body.err != ERR_OK) {
        parser->phase = PHASE_OVER;
        return HTTP1_NO_MEMORY;
    }
    if (result != HPE_OK && result != HPE_PAUSED) {
        const char *reason = llhttp_get_error_reason(&parser->llhttp);
        return bad(parser, reason != NULL ? reason : "a malformed body");
    }
    if (parser->complete != last) {
        return bad(parser, "the body has two readings");
    }
    return last ? finish(parser) : HTTP1_NEED_MORE;
}

static enum http1_state feed_body(struct http1_parser *parser, struct span data, size_t *ret_len)
{
    size_t len = 0;
    bool last = true;
    if (parser->chunked) {
        enum http1_progress progress = http1_chunks_feed(&parser->chunks, data, &len);
        if (progress == HTTP1_REFUSED) {
            *ret_len = len;
            return malformed(parser, parser->chunks.problem, parser->chunks.text);
        }
        last = progress == HTTP1_DONE;
    } else {
        uint64_t left = parser->content_len - parser->body.len;
        len = left < data.len ? (size_t)left : data.len;
        last = len == left;
    }
    *ret_len = len;
    return run_body(parser, span_of(data.ptr == NULL ? "" : data.ptr, len), last);
}

enum http1_state http1_parser_feed(struct http1_parser *parser, struct span data, size_t *ret_len)
{
    ASSERT(parser->phase == PHASE_HEAD || parser->phase == PHASE_BODY);
    size_t head_len = 0;
    if (parser->phase == PHASE_HEAD) {
        enum http1_state state = feed_head(parser, data, &head_len);
        if (parser->phase != PHASE_BODY || state == HTTP1_CONTINUE) {
            *ret_len = head_len;
            return state;
        }
    }
    size_t body_len = 0;
    enum http1_state state =
        feed_body(parser, span_of(data.ptr == NULL ? "" : data.ptr + head_len, data.len - head_len),
                  &body_len);
    *ret_len = head_len + body_len;
    return state;
}

bool http1_parser_begun(const struct http1_parser *parser)
{
    return parser->phase != PHASE_HEAD || parser->scan.len > 0;
}

bool http1_parser_in_body(const struct http1_parser *parser)
{
    return parser->phase == PHASE_BODY;
}

const struct http1_request *http1_parser_request(const struct http1_parser *parser)
{
    ASSERT(parser->phase == PHASE_READY);
    return &parser->request;
}

enum http1_problem http1_parser_problem(const struct http1_parser *parser, const char **ret_text)
{
    *ret_text = parser->text;
    return parser->problem;
}
