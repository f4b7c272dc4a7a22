// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/sse.h"

#include <string.h>

void sse_init(struct sse *sse, sse_event_fn on_event, void *arg)
{
    memset(sse, 0, sizeof(*sse));
    buf_init(&sse->line, SSE_BLOCK_MAX);
    buf_init(&sse->data, SSE_BLOCK_MAX);
    sse->on_event = on_event;
    sse->arg = arg;
}

void sse_fini(struct sse *sse)
{
    buf_fini(&sse->line);
    buf_fini(&sse->data);
}

static void end_block(struct sse *sse)
{
    buf_reset(&sse->data);
    sse->has_data = false;
    sse->event[0] = '\0';
}

void sse_reset(struct sse *sse)
{
    buf_reset(&sse->line);
    sse->after_cr = false;
    end_block(sse);
}

const char *sse_id(const struct sse *sse)
{
    return sse->id;
}

// Takes over a value that fits; another one is none of ours.
static void keep(struct span value, char *ret_text, size_t text_max)
{
    if (value.len <= text_max) {
        memcpy(ret_text, value.ptr, value.len);
        ret_text[value.len] = '\0';
    }
}

static void take_field(struct sse *sse, struct span name, struct span value)
{
    if (span_eq_str(name, "data")) {
        if (sse->has_data) {
            buf_put(&sse->data, SPAN_LIT("\n"));
        }
        buf_put(&sse->data, value);
        sse->has_data = true;
    } else if (span_eq_str(name, "event")) {
        keep(value, sse->event, SSE_EVENT_MAX);
    } else if (span_eq_str(name, "id") && memchr(value.ptr, '\0', value.len) == NULL) {
        keep(value, sse->id, SSE_ID_MAX);
    }
}

static void dispatch(struct sse *sse)
{
    if (sse->has_data) {
        struct sse_event event = {
            .event = sse->event[0] != '\0' ? sse->event : "message",
            .id = sse->id,
            .data = buf_span(&sse->data),
        };
        sse->on_event(sse->arg, &event);
    }
    end_block(sse);
}

// Takes the line that ends with `tail`.
static enum err end_line(struct sse *sse, struct span tail)
{
    buf_put(&sse->line, tail);
    if (sse->line.err != ERR_OK) {
        return sse->line.err;
    }
    struct span line = buf_span(&sse->line);
    const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    if (line.len == 0) {
        dispatch(sse);
    } else if (colon != line.ptr) { // else a comment
        size_t name_len = colon != NULL ? (size_t)(colon - line.ptr) : line.len;
        size_t skip = colon != NULL ? name_len + 1 : line.len;
        skip += skip < line.len && line.ptr[skip] == ' ';
        take_field(sse, span_of(line.ptr, name_len), span_of(line.ptr + skip, line.len - skip));
    }
    buf_reset(&sse->line);
    return sse->data.err;
}

enum err sse_feed(struct sse *sse, struct span data)
{
    enum err err = ERR_OK;
    size_t begin = 0;
    for (size_t i = 0; err == ERR_OK && i < data.len; i++) {
        char byte = data.ptr[i];
        bool of_cr = byte == '\n' && sse->after_cr;
        sse->after_cr = byte == '\r';
        if (byte != '\n' && byte != '\r') {
            continue;
        }
        if (!of_cr) {
            err = end_line(sse, span_of(data.ptr + begin, i - begin));
        }
        begin = i + 1;
    }
    if (err == ERR_OK) {
        buf_put(&sse->line, span_of(data.ptr + begin, data.len - begin));
        err = sse->line.err;
    }
    return err;
}
