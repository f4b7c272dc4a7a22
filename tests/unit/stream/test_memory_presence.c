// SPDX-License-Identifier: Apache-2.0
// How: one row a beat: when, of whom; then who is live, who lapsed, and whether there is grace.  Lease: 100.
#include "base/buf.h"
#include "stream/memory_presence.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

struct row {
    int64_t at_ms;
    const char *name;
    const char *forget; // before the beat; NULL: nobody
    const char *live, *lapsed;
    bool in_grace;
};

static const struct row story[] = {
    {1000, "a", NULL, "a", "", true},  // nobody beat before
    {1050, "b", NULL, "ab", "", true}, // half a lease later is no gap
    {1099, "a", NULL, "ab", "", true},
    {1100, "a", NULL, "ab", "", false}, // the grace is over after one lease
    {1150, "a", NULL, "ab", "", false}, // b is exactly one lease old
    {1151, "a", NULL, "a", "b", false},
    {1190, "a", NULL, "a", "b", false}, // until somebody forgets it
    {1200, "a", "b", "a", "", false},
    {1251, "a", NULL, "a", "", true}, // a gap: nobody beat for more than half a lease
    {1260, "b", NULL, "ab", "", true},
    {1300, "a", NULL, "ab", "", true},
    {1351, "a", NULL, "ab", "", true}, // another gap
};

static void names(struct buf *buf, const struct stream_event *event)
{
    for (int name = 'a'; name <= 'z'; name++) {
        for (uint32_t i = 0; i < event->beat.peer_count; i++) {
            if (event->beat.peers[i].name.ptr[0] == name) {
                buf_byte(buf, (char)name);
            }
        }
    }
}

TEST(a_story_of_beats_lapses_and_grace)
{
    struct memory_presence presence = {0};
    for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++) {
        const struct row *row = &story[i];
        struct stream_event event = {0};
        struct buf live;
        buf_init(&live, 100);
        if (row->forget != NULL) {
            memory_presence_forget(&presence, span_str(row->forget));
        }
        const struct memory_beat beat = {span_str(row->name), SPAN_LIT("p"), 100, row->at_ms};
        void *blob = memory_presence_beat(&presence, &beat, &event);
        names(&live, &event);
        ck_assert_msg(strcmp(buf_cstr(&live), row->live) == 0, "row %zu: %s", i, buf_cstr(&live));
        ck_assert_msg(event.beat.in_grace == row->in_grace, "row %zu: grace", i);
        CHECK_EQ(event.beat.lapsed_count, strlen(row->lapsed));
        CHECK(event.beat.lapsed_count == 0 || span_eq_str(event.beat.lapsed[0], row->lapsed));
        CHECK_EQ(event.beat.server_ms, row->at_ms);
        free(blob);
        buf_fini(&live);
    }
    memory_presence_fini(&presence);
}
END_TEST

static bool walk(void *arg)
{
    struct memory_presence presence = {0};
    struct memory_presence copy = {0};
    struct stream_event event = {0};
    bool done = true;
    (void)arg;
    for (int i = 0; done && i < 10; i++) {
        char name = (char)('a' + i);
        const struct memory_beat beat = {span_of(&name, 1), SPAN_LIT("payload"), 100, 1000 + i};
        void *blob = memory_presence_beat(&presence, &beat, &event);
        done = blob != NULL;
        free(blob);
    }
    done = done && memory_presence_copy(&presence, &copy) == ERR_OK && copy.count == 10;
    memory_presence_fini(&copy);
    memory_presence_fini(&presence);
    return done;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) > 20);
}
END_TEST

SUITE("stream/memory_presence", T(a_story_of_beats_lapses_and_grace), T(every_allocation_may_fail));
