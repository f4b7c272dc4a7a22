// SPDX-License-Identifier: Apache-2.0
// What the models share.  A model is a handful of threads over the words of the real structure; Relacy runs
// it in every interleaving and with every older value that a load may still give under the C11 model (its
// own kind of exhaustive search), and tells whether a RL_ASSERT can fail.
//
//     judge<record_model<sound>>("a text", HOLDS);          must pass in every execution
//     judge<record_model<words_relaxed>>("a text", FAILS);  must fail in at least one: else the model is blind
//
// Speaks TAP.  Read next: README.md (what the search covers and what it does not), seqlock.cpp.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <relacy/relacy.hpp>
#include <streambuf>

using word = rl::atomic<unsigned>;

enum verdict { HOLDS, FAILS };

static unsigned judged;
static unsigned wrong;

// Takes no memory: Relacy stands in front of the allocator, and a stream's buffer would be freed behind its
// back.  What is beyond its end is lost.
static struct report_buf : std::streambuf {
    char text[1 << 20];
    void begin()
    {
        setp(text, text + sizeof(text) - 1);
    }
    const char *whole()
    {
        *pptr() = 0;
        return text;
    }
} report_buf;

template <typename model> static void judge(const char *text, enum verdict expected)
{
    report_buf.begin();
    std::ostream report(&report_buf);
    rl::test_params params;
    params.search_type = rl::fair_full_search_scheduler_type;
    params.output_stream = &report;
    params.progress_stream = &report;
    (void)rl::simulate<model>(params);
    bool holds = params.test_result == rl::test_result_success;
    bool failed = params.test_result == rl::test_result_user_assert_failed;
    bool good = expected == HOLDS ? holds : failed;
    judged++;
    wrong += good ? 0 : 1;
    std::printf("%s %u - %s: %s (%lu executions)\n", good ? "ok" : "not ok", judged, text,
                expected == HOLDS ? "holds" : "is found", (unsigned long)params.stop_iteration);
    if (!good || std::getenv("FORMAL_HISTORY") != NULL) {
        std::printf("# %s\n", rl::test_result_str(params.test_result));
        std::fprintf(stderr, "%s\n", report_buf.whole());
    }
    std::fflush(stdout);
}

static int judge_end()
{
    std::printf("1..%u\n", judged);
    return wrong == 0 ? 0 : 1;
}
