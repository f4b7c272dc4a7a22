// SPDX-License-Identifier: Apache-2.0
// Feeds a stream whole and then in pieces of every size; what comes out is written as one line:
// "event/id/data;" for each event.
#include "admin-api/ctl/sse.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <string.h>

struct row {
    const char *stream;
    const char *want;
};

static void on_event(void *arg, const struct sse_event *event)
{
    struct buf *out = arg;
    buf_printf(out, "%s/%s/", event->event, event->id);
    buf_put(out, event->data);
    buf_byte(out, ';');
}

static void check_in_pieces(const struct row *row, size_t piece)
{
    struct buf out;
    struct sse sse;
    buf_init(&out, 4096);
    sse_init(&sse, on_event, &out);
    struct span rest = span_str(row->stream);
    while (rest.len > 0) {
        size_t len = rest.len < piece ? rest.len : piece;
        CHECK_OK(sse_feed(&sse, span_of(rest.ptr, len)));
        rest = span_of(rest.ptr + len, rest.len - len);
    }
    ck_assert_msg(strcmp(buf_cstr(&out), row->want) == 0, "%s in pieces of %zu: %s", row->stream,
                  piece, buf_cstr(&out));
    sse_fini(&sse);
    buf_fini(&out);
}

TEST(events_do_not_depend_on_how_their_bytes_arrive)
{
    static const struct row rows[] = {
        {"event: change\nid: 7\ndata: {}\n\n", "change/7/{};"},
        {"data:a\ndata: b\ndata\n\n", "message//a\nb\n;"},
        {": comment\n\n\n: x\ndata: 1\n\n", "message//1;"},
        {"id: 5\n\ndata: x\n\n", "message/5/x;"},
        {"id: 5\ndata: x\n\ndata: y\n\n", "message/5/x;message/5/y;"},
        {"event: resync\r\nid: 9\r\ndata: {}\r\n\r\n", "resync/9/{};"},
        {"data: a\r\rdata: b\n\r\n", "message//a;message//b;"},
        {"data:  two blanks\n\n", "message// two blanks;"},
        {"retry: 5\nunknown: 1\ndata: x\n\n", "message//x;"},
        {"data: incomplete\n", ""},
        {"event: x\n\ndata: y\n\n", "message//y;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].stream); piece++) {
            check_in_pieces(&rows[i], piece);
        }
    }
}

TEST(a_new_stream_keeps_the_id_and_nothing_else)
{
    struct buf out;
    struct sse sse;
    buf_init(&out, 4096);
    sse_init(&sse, on_event, &out);
    CHECK_STR(sse_id(&sse), "");
    CHECK_OK(sse_feed(&sse, SPAN_LIT("id: 3\ndata: a\n\nevent: lost\ndata: lo")));
    sse_reset(&sse);
    CHECK_STR(sse_id(&sse), "3");
    CHECK_OK(sse_feed(&sse, SPAN_LIT("data: b\n\n")));
    CHECK_STR(buf_cstr(&out), "message/3/a;message/3/b;");
    sse_fini(&sse);
    buf_fini(&out);
}

TEST(an_endless_line_is_refused)
{
    struct sse sse;
    sse_init(&sse, on_event, NULL);
    static char piece[65536];
    memset(piece, 'x', sizeof(piece));
    enum err err = ERR_OK;
    for (size_t len = 0; len <= SSE_BLOCK_MAX && err == ERR_OK; len += sizeof(piece)) {
        err = sse_feed(&sse, span_of(piece, sizeof(piece)));
    }
    CHECK_EQ(err, ERR_TOO_LARGE);
    sse_fini(&sse);
}

static void count_event(void *arg, const struct sse_event *event)
{
    unsigned *count = arg;
    *count += event->data.len == 3;
}

static bool feed_two(void *arg)
{
    (void)arg;
    unsigned count = 0;
    struct sse sse;
    sse_init(&sse, count_event, &count);
    enum err err = sse_feed(&sse, SPAN_LIT("data: a\ndata: b\n\ndata: abc\n\n"));
    sse_fini(&sse);
    return err == ERR_OK && count == 2;
}

TEST(without_memory_no_event_comes_out_in_part)
{
    CHECK(failalloc_each(feed_two, NULL) >= 2);
}

SUITE("ctl/sse", T(events_do_not_depend_on_how_their_bytes_arrive),
      T(a_new_stream_keeps_the_id_and_nothing_else), T(an_endless_line_is_refused),
      T(without_memory_no_event_comes_out_in_part));
