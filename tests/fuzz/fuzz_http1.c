// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as requests of one connection, fed whole and then byte by byte: both readings must
// be one, and whatever is refused must say why.
#include "base/assert.h"
#include "base/http1.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct reading {
    unsigned requests;
    size_t bodies_len;
    enum http1_problem problem;
};

static void note(const struct http1_parser *parser, struct reading *reading)
{
    const struct http1_request *request = http1_parser_request(parser);
    ASSERT(request->method.len > 0 && request->path.len > 0);
    ASSERT(request->header_count <= HTTP1_HEADERS_MAX);
    ASSERT(request->version_0 || request->host.ptr != NULL);
    reading->requests++;
    reading->bodies_len += request->body.len;
}

// Shows the parser at most `step` bytes more each time, as a connection does that drips.
static struct reading read_all(struct span data, size_t step)
{
    struct reading reading = {0, 0, HTTP1_NO_PROBLEM};
    struct http1_parser *parser = NULL;
    const char *text = NULL;
    size_t seen = 0;
    size_t used = 0;
    ASSERT(http1_parser_new(&parser) == ERR_OK);
    for (size_t turns = 4 * data.len + 4; turns > 0; turns--) {
        size_t len = 0;
        const enum http1_state state =
            http1_parser_feed(parser, span_of(data.ptr + used, seen - used), &len);
        ASSERT(len <= seen - used);
        used += len;
        if (state == HTTP1_MALFORMED) {
            reading.problem = http1_parser_problem(parser, &text);
            ASSERT(reading.problem != HTTP1_NO_PROBLEM && text[0] != '\0');
            break;
        }
        if (state == HTTP1_READY) {
            note(parser, &reading);
            http1_parser_reset(parser);
        } else if (state == HTTP1_NEED_MORE) {
            if (seen == data.len) {
                break;
            }
            seen += step < data.len - seen ? step : data.len - seen;
        }
    }
    http1_parser_free(parser);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct span bytes = span_of(data, len);
    const struct reading whole = read_all(bytes, len);
    const struct reading dripped = read_all(bytes, 1);
    ASSERT(whole.requests == dripped.requests && whole.bodies_len == dripped.bodies_len);
    // Both refuse or neither does; a chunk that is both too large and malformed may be called either.
    ASSERT((whole.problem == HTTP1_NO_PROBLEM) == (dripped.problem == HTTP1_NO_PROBLEM));
    return 0;
}
