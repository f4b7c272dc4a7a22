// SPDX-License-Identifier: Apache-2.0
// The embedded server's answers come through the loop.
#include "replicator/memory_pump.h"

#include "base/loop.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

struct heard {
    unsigned ups, metas;
};

static void on_event(void *arg, const struct stream_event *event)
{
    struct heard *heard = arg;
    heard->ups += event->type == STREAM_EV_UP;
    heard->metas += event->type == STREAM_EV_META;
}

// false: no memory.
static bool ask_once(void *arg)
{
    struct heard *heard = arg;
    struct loop *loop = NULL;
    struct memory_pump *pump = NULL;
    struct stream *stream = NULL;
    bool well = false;
    *heard = (struct heard){0, 0};
    if (loop_new(&loop) != ERR_OK) {
        return false;
    }
    const struct memory_pump_options options = {
        .loop = loop, .partitions = 2, .retention = 1000, .on_event = on_event, .arg = heard};
    if (memory_pump_new(&options, &pump, &stream) == ERR_OK) {
        stream_start(stream);
        loop_run_once(loop, 1000);
        stream_meta(stream, 1);
        unsigned during_call = heard->metas;
        loop_run_once(loop, 1000);
        well = heard->ups == 1 && heard->metas == 1 && during_call == 0;
    }
    memory_pump_free(pump);
    loop_free(loop);
    return well;
}

TEST(an_answer_comes_through_the_loop_never_from_inside_the_call)
{
    struct heard heard;
    CHECK(ask_once(&heard));
}
END_TEST

TEST(every_allocation_may_fail)
{
    struct heard heard;
    CHECK(failalloc_each(ask_once, &heard) > 0);
}
END_TEST

SUITE("node/memory_pump", T(an_answer_comes_through_the_loop_never_from_inside_the_call),
      T(every_allocation_may_fail));
