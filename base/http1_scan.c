// SPDX-License-Identifier: Apache-2.0
#include "base/http1_scan.h"

// The states of the header section.  Each names what is expected next.
enum scan_state {
    SCAN_START, // the first byte, or CR of one leading empty line
    SCAN_START_LF,
    SCAN_METHOD_1, // the method's first byte
    SCAN_METHOD,
    SCAN_TARGET_1,
    SCAN_TARGET,
    SCAN_VERSION, // eight bytes of HTTP/1.x, counted by `word`
    SCAN_VERSION_CR,
    SCAN_LINE_LF, // LF after the CR of the request line or of a header
    SCAN_NAME_1,  // the first byte of a name, or the CR of the empty line
    SCAN_NAME,
    SCAN_VALUE,
    SCAN_END_LF // LF of the empty line
};

static bool is_token_byte(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http1_is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte((unsigned char)text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

void http1_scan_init(struct http1_scan *scan)
{
    *scan = (struct http1_scan){.state = SCAN_START};
}

static enum http1_progress refuse(struct http1_scan *scan, enum http1_problem problem,
                                  const char *text)
{
    scan->problem = problem;
    scan->text = text;
    return HTTP1_REFUSED;
}

static enum http1_progress bad(struct http1_scan *scan, const char *text)
{
    return refuse(scan, HTTP1_BAD_REQUEST, text);
}

static enum http1_progress go(struct http1_scan *scan, enum scan_state state)
{
    scan->state = (uint8_t)state;
    return HTTP1_MORE;
}

static enum http1_progress scan_start(struct http1_scan *scan, unsigned char c)
{
    if (scan->state == SCAN_START_LF) {
        scan->start = 2;
        return c == '\n' ? go(scan, SCAN_METHOD_1) : bad(scan, "CR without LF");
    }
    if (scan->state == SCAN_START && c == '\r') {
        return go(scan, SCAN_START_LF); // RFC 9112 section 2.2: one empty line is let pass
    }
    if (!is_token_byte(c)) {
        return bad(scan, "the request line begins with no method");
    }
    scan->method_len = 1;
    return go(scan, SCAN_METHOD);
}

static enum http1_progress scan_request_line(struct http1_scan *scan, unsigned char c)
{
    switch (scan->state) {
    case SCAN_METHOD:
        if (c == ' ') {
            scan->target_start = scan->len + 1;
            return go(scan, SCAN_TARGET_1);
        }
        scan->method_len++;
        return is_token_byte(c) ? HTTP1_MORE : bad(scan, "the method is no token");
    case SCAN_TARGET_1:
    case SCAN_TARGET:
        if (c == ' ' && scan->state == SCAN_TARGET) {
            scan->version_len = 0;
            return go(scan, SCAN_VERSION);
        }
        scan->target_len++;
        scan->state = SCAN_TARGET;
        return c > ' ' && c < 0x7f && c != '#' ? HTTP1_MORE
                                               : bad(scan, "a byte that no target may hold");
    case SCAN_VERSION: {
        static const char expected[] = "HTTP/1.";
        unsigned at = scan->version_len++;
        if (at < 7) {
            return c == (unsigned char)expected[at] ? HTTP1_MORE
                                                    : bad(scan, "neither HTTP/1.1 nor HTTP/1.0");
        }
        scan->version_0 = c == '0';
        return c == '0' || c == '1' ? go(scan, SCAN_VERSION_CR)
                                    : bad(scan, "neither HTTP/1.1 nor HTTP/1.0");
    }
    default:
        return c == '\r' ? go(scan, SCAN_LINE_LF) : bad(scan, "bytes after the version");
    }
}

static enum http1_progress scan_header(struct http1_scan *scan, unsigned char c)
{
    switch (scan->state) {
    case SCAN_LINE_LF:
        return c == '\n' ? go(scan, SCAN_NAME_1) : bad(scan, "CR without LF");
    case SCAN_NAME_1:
        if (c == '\r') {
            return go(scan, SCAN_END_LF);
        }
        if (c == ' ' || c == '\t') {
            return bad(scan, "a folded header line");
        }
        if (++scan->header_count > HTTP1_HEADERS_MAX) {
            return refuse(scan, HTTP1_HEADERS_TOO_LARGE, "more than 100 headers");
        }
        return is_token_byte(c) ? go(scan, SCAN_NAME) : bad(scan, "a header name is no token");
    case SCAN_NAME:
        if (c == ':') {
            return go(scan, SCAN_VALUE);
        }
        return is_token_byte(c) ? HTTP1_MORE : bad(scan, "a header name is no token");
    default: // SCAN_VALUE
        if (c == '\r') {
            return go(scan, SCAN_LINE_LF);
        }
        return (c >= ' ' && c != 0x7f) || c == '\t'
                   ? HTTP1_MORE
                   : bad(scan, c == '\n' ? "LF without CR" : "a control byte in a header");
    }
}

static enum http1_progress scan_byte(struct http1_scan *scan, unsigned char c)
{
    if (scan->state <= SCAN_METHOD_1) {
        return scan_start(scan, c);
    }
    if (scan->state <= SCAN_VERSION_CR) {
        return scan_request_line(scan, c);
    }
    if (scan->state == SCAN_END_LF) {
        return c == '\n' ? HTTP1_DONE : bad(scan, "CR without LF");
    }
    return scan_header(scan, c);
}

enum http1_progress http1_scan_feed(struct http1_scan *scan, struct span data)
{
    enum http1_progress progress = HTTP1_MORE;
    while (progress == HTTP1_MORE && scan->len < data.len) {
        if (scan->len == HTTP1_HEAD_MAX) {
            return refuse(scan, HTTP1_HEADERS_TOO_LARGE, "request line and headers over 16 KiB");
        }
        progress = scan_byte(scan, (unsigned char)data.ptr[scan->len]);
        scan->len++;
    }
    return progress;
}

// --- chunks

enum chunk_state {
    CHUNK_SIZE_1, // the first digit
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_1, // the first byte of a trailer, or the CR of the empty line
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF
};

void http1_chunks_init(struct http1_chunks *chunks)
{
    *chunks = (struct http1_chunks){.state = CHUNK_SIZE_1};
}

static enum http1_progress chunk_bad(struct http1_chunks *chunks, const char *text)
{
    chunks->problem = HTTP1_BAD_REQUEST;
    chunks->text = text;
    return HTTP1_REFUSED;
}

static enum http1_progress chunk_go(struct http1_chunks *chunks, enum chunk_state state)
{
    chunks->state = (uint8_t)state;
    return HTTP1_MORE;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum http1_progress size_known(struct http1_chunks *chunks)
{
    chunks->body_len += chunks->left;
    if (chunks->body_len > HTTP1_BODY_MAX) {
        chunks->problem = HTTP1_TOO_LARGE;
        chunks->text = "a body over 1 MiB";
        return HTTP1_REFUSED;
    }
    return HTTP1_MORE;
}

static enum http1_progress chunk_size(struct http1_chunks *chunks, unsigned char c)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (++chunks->digits > 8) {
            return chunk_bad(chunks, "a chunk size of more than 8 digits");
        }
        chunks->left = chunks->left * 16 + (unsigned)digit;
        return chunk_go(chunks, CHUNK_SIZE);
    }
    if (chunks->state == CHUNK_SIZE_1) {
        return chunk_bad(chunks, "a chunk without size");
    }
    if (size_known(chunks) == HTTP1_REFUSED) {
        return HTTP1_REFUSED;
    }
    chunks->extension_len = 0;
    if (c == ';') {
        return chunk_go(chunks, CHUNK_EXTENSION);
    }
    return c == '\r' ? chunk_go(chunks, CHUNK_SIZE_LF)
                     : chunk_bad(chunks, "a chunk size that is no hexadecimal number");
}

static bool is_text(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static enum http1_progress chunk_line(struct http1_chunks *chunks, unsigned char c)
{
    switch (chunks->state) {
    case CHUNK_EXTENSION:
        if (c == '\r') {
            return chunk_go(chunks, CHUNK_SIZE_LF);
        }
        if (++chunks->extension_len > HTTP1_EXTENSION_MAX) {
            return chunk_bad(chunks, "a chunk extension over 256 bytes");
        }
        return is_text(c) ? HTTP1_MORE : chunk_bad(chunks, "a control byte in a chunk extension");
    case CHUNK_SIZE_LF:
        if (c != '\n') {
            return chunk_bad(chunks, "CR without LF");
        }
        return chunk_go(chunks, chunks->left == 0 ? CHUNK_TRAILER_1 : CHUNK_DATA);
    case CHUNK_DATA_CR:
        return c == '\r' ? chunk_go(chunks, CHUNK_DATA_LF)
                         : chunk_bad(chunks, "a chunk longer than its size");
    default: // CHUNK_DATA_LF
        chunks->digits = 0;
        chunks->left = 0;
        return c == '\n' ? chunk_go(chunks, CHUNK_SIZE_1) : chunk_bad(chunks, "CR without LF");
    }
}

static enum http1_progress chunk_trailer(struct http1_chunks *chunks, unsigned char c)
{
    if (++chunks->trailers_len > HTTP1_TRAILERS_MAX) {
        return chunk_bad(chunks, "trailers over 4 KiB");
    }
    switch (chunks->state) {
    case CHUNK_TRAILER_1:
        if (c == '\r') {
            return chunk_go(chunks, CHUNK_END_LF);
        }
        return is_token_byte(c) ? chunk_go(chunks, CHUNK_TRAILER_NAME)
                                : chunk_bad(chunks, "a trailer's name is no token");
    case CHUNK_TRAILER_NAME:
        if (c == ':') {
            return chunk_go(chunks, CHUNK_TRAILER_VALUE);
        }
        return is_token_byte(c) ? HTTP1_MORE : chunk_bad(chunks, "a trailer's name is no token");
    case CHUNK_TRAILER_VALUE:
        if (c == '\r') {
            return chunk_go(chunks, CHUNK_TRAILER_LF);
        }
        return is_text(c) ? HTTP1_MORE : chunk_bad(chunks, "a control byte in a trailer");
    case CHUNK_TRAILER_LF:
        return c == '\n' ? chunk_go(chunks, CHUNK_TRAILER_1) : chunk_bad(chunks, "CR without LF");
    default: // CHUNK_END_LF
        return c == '\n' ? HTTP1_DONE : chunk_bad(chunks, "CR without LF");
    }
}

static enum http1_progress chunk_byte(struct http1_chunks *chunks, unsigned char c)
{
    if (chunks->state <= CHUNK_SIZE) {
        return chunk_size(chunks, c);
    }
    return chunks->state < CHUNK_TRAILER_1 ? chunk_line(chunks, c) : chunk_trailer(chunks, c);
}

enum http1_progress http1_chunks_feed(struct http1_chunks *chunks, struct span data,
                                      size_t *ret_len)
{
    enum http1_progress progress = HTTP1_MORE;
    size_t at = 0;
    while (progress == HTTP1_MORE && at < data.len) {
        if (chunks->state == CHUNK_DATA) {
            size_t rest = data.len - at;
            size_t step = chunks->left < rest ? (size_t)chunks->left : rest;
            chunks->left -= step;
            at += step;
            chunks->state = chunks->left == 0 ? CHUNK_DATA_CR : CHUNK_DATA;
            continue;
        }
        progress = chunk_byte(chunks, (unsigned char)data.ptr[at]);
        at++;
    }
    *ret_len = at;
    return progress;
}
