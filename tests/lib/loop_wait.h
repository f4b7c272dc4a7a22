// SPDX-License-Identifier: Apache-2.0
// Runs a loop until a condition holds, for tests that really need sockets; gives up, red, after ten
// seconds.  No test sleeps: each waits for what it wants to see.
#pragma once

#include "base/loop.h"
#include "tests/lib/suite.h"

#define LOOP_WAIT(loop, cond)                                                                      \
    do {                                                                                           \
        const struct mono loop_wait_end = mono_add_ms(loop_now(loop), 10000);                      \
        while (!(cond)) {                                                                          \
            ck_assert_msg(loop_now(loop).us < loop_wait_end.us, "never came: %s", #cond);          \
            loop_run_once(loop, 20);                                                               \
        }                                                                                          \
    } while (0)
