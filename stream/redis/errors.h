// SPDX-License-Identifier: Apache-2.0
// What an error of the server means for us: one table (errors.def), four things to do.
// Invariant: every text has a class; an unknown one is retried, never fatal.
// Pure, any thread.  Read next: errors.def.
#pragma once

#include "base/span.h"
#include "stream/position.h"

enum errors_class {
    ERRORS_RETRY,      // nothing was executed, the connection is fine: later again
    ERRORS_REDISCOVER, // the wrong server, or not yet: reconnect, look anew
    ERRORS_PAGE,       // a person must look; retried meanwhile
    ERRORS_CONFIG,     // a person must change the configuration; retried slowly
    ERRORS_NOSCRIPT,   // load the scripts, then as ERRORS_RETRY
    ERRORS_EPOCH       // not an error: an answer of the put script
};

enum errors_class errors_classify(struct span text);
// What the caller of the stream is told.
enum stream_status errors_status(enum errors_class class);
// The table's words for `text`; "" when no row fits.
const char *errors_meaning(struct span text);
