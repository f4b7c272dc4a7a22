// SPDX-License-Identifier: Apache-2.0
// Text for manual pages in mdoc(7): what a formatter would take for its own is escaped.
// Pure, any thread; errors stay in the buffer.  Read next: admin-api/ctl/manual.h.
#pragma once

#include "base/buf.h"

// Running text in lines of at most 80 bytes, `code` in quotes.
void mdoc_line(struct buf *out, const char *text);

// One argument of a macro, quoted, so that it is no macro itself.
void mdoc_argument(struct buf *out, const char *text);
