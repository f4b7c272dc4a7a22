// SPDX-License-Identifier: Apache-2.0
#include "admin-api/response.h"

#include "base/assert.h"

void response_init(struct response *response)
{
    *response = (struct response){.kind = RESPONSE_COMPLETE, .status = 200};
    buf_init(&response->body, RESPONSE_BODY_MAX);
}

void response_fini(struct response *response)
{
    buf_fini(&response->body);
}

void response_header(struct response *response, const char *name, const char *value)
{
    size_t at = response->header_count;
    size_t len = strlen(value);
    ASSERT(at < RESPONSE_HEADERS_MAX && len <= RESPONSE_HEADER_LEN);
    memcpy(response->values[at], value, len);
    response->headers[at] =
        (struct http1_header){.name = span_str(name), .value = span_of(response->values[at], len)};
    response->header_count++;
}

bool response_more(struct api *api, struct response *response)
{
    if (!list_more(api, &response->list, &response->body)) {
        response->kind = RESPONSE_COMPLETE;
    }
    return response->kind == RESPONSE_MORE;
}

struct span response_body(const struct response *response)
{
    return buf_span(&response->body);
}

bool response_is_broken(const struct response *response)
{
    return response->body.err != ERR_OK;
}
